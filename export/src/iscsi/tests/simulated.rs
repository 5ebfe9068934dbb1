//! The same target on the simulated network.

use byway_engine::sim::{NetConfig, Stop, World, WorldConfig};
use byway_proto::scsi::Status;

use super::*;

const PORT: u16 = 3260;

/// The trace of a run in which two initiators write and read.
fn run(seed: u64) -> u64 {
    let net = NetConfig { partial_ppm: 300_000, ..NetConfig::default() };
    let mut world = World::new(seed, WorldConfig { net, ..WorldConfig::default() });
    let server = world.add_host("target");
    let address = world.address(server, PORT);
    let portal = address.clone();
    let served = world.start(server, move |core| async move {
        let mut config = TargetConfig::new(TARGET, entropy()).unwrap();
        config.portals.push(PortalConfig::new(portal));
        config.units.push(LunConfig::new(0, mem(4), "S1"));
        let target = Target::start(&core, config).unwrap();
        core.sleep(5_000_000_000).await;
        target.stop().await;
    });
    let mut tasks = Vec::new();
    for (n, name) in [ONE, TWO].into_iter().enumerate() {
        let (host, to) = (world.add_host(name), address.clone());
        tasks.push(world.start(host, move |core| async move {
            let mut client = connect(&core, &to, &Who::named(name)).await;
            for round in 0..20u64 {
                let lba = n as u64 * 4096 + round * 100;
                let data = pattern(512 * (1 + round as usize * 5), round as u8);
                assert_eq!(client.write(lba, data.clone()).await.status, Status::Good);
                assert!(client.read(lba, data.len() as u32 / 512).await == data);
            }
        }));
    }
    let is_over = || served.is_finished() && tasks.iter().all(|task| task.is_finished());
    assert_eq!(world.run_until(u64::MAX, is_over).unwrap(), Stop::Condition);
    assert!(served.try_take().is_some() && tasks.iter().all(|task| task.try_take().is_some()));
    world.trace_hash()
}

#[test]
fn data_come_back_and_equal_seeds_make_equal_runs() {
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

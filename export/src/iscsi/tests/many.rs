//! A thousand sessions: idle ones cost little, and each works when it is wanted.

use byway_engine::sim::{Stop, World, WorldConfig};
use byway_proto::scsi::Status;

use super::*;

const SESSIONS: u16 = 1000;
/// Bytes of the arena that an idle session may hold.
const IDLE_MAX: usize = 64 << 10;
const SECOND: u64 = 1_000_000_000;

#[test]
fn idle_sessions_are_cheap_and_every_one_works() {
    let arena_len = usize::from(SESSIONS) * IDLE_MAX;
    let config = WorldConfig { arena_len, steps_max: 100_000_000, ..WorldConfig::default() };
    let mut world = World::new(1, config);
    let (server, client) = (world.add_host("target"), world.add_host("initiators"));
    let (portal, to) = (world.address(server, 3260), world.address(server, 3260));
    let served = world.start(server, move |core| async move {
        let mut config = TargetConfig::new(TARGET, entropy()).unwrap();
        config.portals.push(PortalConfig::new(portal));
        config.units.push(LunConfig::new(0, mem(4), "S1"));
        // Nobody in this test answers pings while it waits for its turn.
        config.limits.keepalive_ns = None;
        let target = Target::start(&core, config).unwrap();
        while target.sessions().len() < usize::from(SESSIONS) {
            core.sleep(SECOND).await;
        }
        core.sleep(60 * SECOND).await;
        target.stop().await;
    });
    let asked = world.start(client, move |core| async move {
        let mut clients = Vec::new();
        for qualifier in 0..SESSIONS {
            clients.push(connect(&core, &to, &Who { qualifier, ..Who::named(ONE) }).await);
            // What a session took for its first commands comes back when it is idle.
            if qualifier % 200 == 199 {
                core.sleep(3 * SECOND).await;
            }
        }
        for (n, client) in clients.iter_mut().enumerate() {
            let status = client.write(n as u64, pattern(512, n as u8)).await.status;
            assert_eq!(status, Status::Good);
            if n % 200 == 199 {
                core.sleep(3 * SECOND).await;
            }
        }
    });
    let is_over = || served.is_finished() && asked.is_finished();
    assert_eq!(world.run_until(u64::MAX, is_over).unwrap(), Stop::Condition);
    assert!(served.try_take().is_some() && asked.try_take().is_some());
}

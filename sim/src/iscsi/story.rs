//! One run: a target with one LUN, an initiator with workers, trouble for a while, then peace.

use std::rc::Rc;

use byway_engine::core::Core;
use byway_engine::exec::Class;
use byway_engine::net::Address;
use byway_engine::sim::{DiskConfig, Latency, NetConfig, PPM, Rng, Stop, World, WorldConfig};
use byway_iscsi_initiator::{Digests, IscsiConfig, IscsiDevice, Timeouts};

use super::IscsiMutation;
use super::target::{NAME, Setup};
use super::trouble::{Scene, TROUBLE_NS};
use crate::lab::look::{desks, last_look, settle_down};
use crate::lab::worker::Worker;
use crate::lab::{CELLS, Lab};
use crate::{Options, Passed};

const PORT: u16 = 3260;
const MS: u64 = 1_000_000;
/// How much time everything may take after the trouble, in nanoseconds.
const PEACE_NS: u64 = 120_000 * MS;
/// How long requests wait for a path, in nanoseconds.
const PATH_NS: u64 = 60_000 * MS;
/// How long a request may take, in nanoseconds.
const PATIENCE_NS: u64 = PATH_NS + 20_000 * MS;
/// Memory of a host in bytes.
const ARENA_LEN: usize = 64 << 20;
/// The pause between two attempts to open the LUN, in nanoseconds.
const PAUSE_NS: u64 = 100 * MS;

/// Runs the scenario; a finding is told in words.
pub(crate) fn run(seed: u64, options: Options) -> Result<Passed, String> {
    let mut setup = Rng::new(seed);
    let config = WorldConfig {
        net: net_config(&mut setup),
        arena_len: ARENA_LEN,
        observer: options.observer,
        ..WorldConfig::default()
    };
    let mut world = World::new(seed, config);
    let mut rng = world.fork_rng();
    let scene = scene(&mut world, &mut rng, seed, options.iscsi);
    scene.start_target(&mut world, scene.setup.clone());
    let (lab, core_rng) = (Rc::clone(&scene.lab), rng.fork());
    let addresses = scene.setup.portals.iter().map(|portal| portal.address.clone()).collect();
    let config = initiator_config(addresses, &mut rng, options.iscsi);
    let working = world.restart(scene.initiator, |core| initiate(core, config, lab, core_rng));
    scene.plan(&mut world, &mut rng);
    let over = || scene.lab.has_failed() || working.is_finished();
    let stop = world.run_until(TROUBLE_NS + PEACE_NS, over).map_err(|e| e.to_string())?;
    if let Some(reason) = scene.lab.finding() {
        return Err(reason);
    }
    if stop != Stop::Condition {
        return Err("a request does not end".into());
    }
    last_look(&world, &scene.lab)?;
    let operations = scene.lab.operations.get();
    Ok(Passed { trace_hash: world.trace_hash(), operations, simulated_ns: world.now() })
}

fn net_config(rng: &mut Rng) -> NetConfig {
    let latency = rng.within(10_000..MS);
    NetConfig {
        latency_ns: latency..2 * latency,
        bytes_per_second: rng.pick(&[10_000_000, 1_250_000_000]),
        loss_ppm: rng.pick(&[0, PPM / 1000, PPM / 100]),
        retransmit_ns: 50 * MS,
        reset_ppm: rng.pick(&[0, 0, PPM / 5000]),
        window: rng.pick(&[4 << 10, 64 << 10, 1 << 20]),
        timeout_ns: 1_000 * MS,
        ..NetConfig::default()
    }
}

fn scene(world: &mut World, rng: &mut Rng, seed: u64, mutation: IscsiMutation) -> Scene {
    let (target, initiator) = (world.add_host("target"), world.add_host("initiator"));
    let cell_len = rng.pick(&[512, 4096]);
    let slow = Latency { slow_ppm: PPM / 50, slow_ns: 100 * MS..2_500 * MS, ..Latency::default() };
    let disk = world.add_disk(DiskConfig {
        size: CELLS * u64::from(cell_len),
        atomic_len: cell_len,
        depth_max: rng.pick(&[2, 8, 64]),
        latency: if rng.chance(PPM / 2) { slow } else { Latency::default() },
        ..DiskConfig::default()
    });
    let ports = 0..rng.within(1..4) as u16;
    let addresses = ports.map(|n| world.address(target, PORT + n)).collect();
    let mut setup = Setup::draw(addresses, rng);
    setup.faults.skips_drain = mutation == IscsiMutation::NoDrain;
    let lab = Rc::new(Lab::new(seed, disk, cell_len, CELLS));
    Scene { target, initiator, setup, lab }
}

fn initiator_config(portals: Vec<Address>, rng: &mut Rng, mutation: IscsiMutation) -> IscsiConfig {
    let mut config = IscsiConfig::new(portals[0].clone(), NAME);
    config.portals = portals;
    config.digests = Digests { header: rng.chance(PPM / 2), data: rng.chance(PPM / 2) };
    config.depth = rng.pick(&[1, 4, 128]);
    config.timeouts = Timeouts {
        login_ns: 1_000 * MS,
        command_ns: rng.pick(&[500, 2_000]) * MS,
        keepalive_ns: 200 * MS,
        management_ns: 400 * MS,
        retry_max_ns: 300 * MS,
        path_ns: PATH_NS,
    };
    config.mutation = match mutation {
        IscsiMutation::ReplayAnywhere => Some(byway_iscsi_initiator::Mutation::ReplayAnywhere),
        IscsiMutation::CompareTwice => Some(byway_iscsi_initiator::Mutation::CompareTwice),
        IscsiMutation::LossUntold => Some(byway_iscsi_initiator::Mutation::LossUntold),
        IscsiMutation::LossForgotten => Some(byway_iscsi_initiator::Mutation::LossForgotten),
        IscsiMutation::None | IscsiMutation::NoDrain => None,
    };
    config
}

/// The initiator's host: opens the LUN, works on it, and looks at what is there at the end.
async fn initiate(core: Rc<Core>, config: IscsiConfig, lab: Rc<Lab>, mut rng: Rng) {
    let device = loop {
        match IscsiDevice::open_on(&core, config.clone()).await {
            Ok(device) => break device,
            Err(_refused) => core.sleep(PAUSE_NS).await,
        }
    };
    let Some(desks) = desks(&core, &device, &lab, rng.within(1..3) as usize, PATIENCE_NS) else {
        return;
    };
    let workers = rng.within(1..5);
    let is_shared = rng.chance(PPM / 2);
    let share = CELLS / workers;
    let mut running = Vec::new();
    for n in 0..workers {
        let cells = if is_shared { 0..CELLS } else { n * share..(n + 1) * share };
        let desk = Rc::clone(&desks[rng.below(desks.len() as u64) as usize]);
        let mut worker = Worker { core: Rc::clone(&core), desk, cells, rng: rng.fork() };
        running.push(core.spawn(Class::Foreground, "worker", async move {
            worker.work(TROUBLE_NS).await;
        }));
    }
    for worker in running {
        let _joined = worker.await;
    }
    settle_down(&core, &desks, &lab).await;
}

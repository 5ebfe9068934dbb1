//! One run: a server with one export, clients with workers, bursts of trouble, then peace.

use std::rc::Rc;

use byway_engine::sim::{DiskConfig, Latency, NetConfig, PPM, Rng, Stop, World, WorldConfig};

use super::NbdMutation;
use super::client::{CLIENT_CELLS, Client, GUEST_CHANNEL, Guest, draw_config};
use super::server::Setup;
use super::trouble::{Scene, TROUBLE_NS, draw_bursts};
use crate::lab::look::last_look;
use crate::lab::{CELLS, Lab};
use crate::{Options, Passed};

const PORT: u16 = 10809;
const MS: u64 = 1_000_000;
/// How much time everything may take after the trouble, in nanoseconds.
const PEACE_NS: u64 = 200_000 * MS;
/// Memory of a host in bytes.
const ARENA_LEN: usize = 64 << 20;

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
    let bursts = draw_bursts(&mut rng);
    let scene = scene(&mut world, &mut rng, seed, &bursts, options.nbd);
    scene.start_server(&mut world);
    let client = Client {
        config: scene.guest.config.clone(),
        lab: Rc::clone(&scene.lab),
        rng: rng.fork(),
        ways: if scene.setup.multi_conn { rng.within(1..3) as usize } else { 1 },
        bursts: bursts.clone(),
    };
    let working = world.restart(scene.client, |core| client.live(core));
    scene.start_guest(&mut world);
    scene.plan(&mut world, &mut rng, &bursts);
    run_to_the_end(&mut world, &scene, || working.is_finished())?;
    last_look(&world, &scene.lab)?;
    let operations = scene.lab.operations.get();
    Ok(Passed { trace_hash: world.trace_hash(), operations, simulated_ns: world.now() })
}

/// Runs until the client has left, and then until the server has nothing of it.
fn run_to_the_end(
    world: &mut World,
    scene: &Scene,
    is_finished: impl Fn() -> bool,
) -> Result<(), String> {
    let lab = &scene.lab;
    until(world, lab, "a request does not end", is_finished)?;
    // The guest is gone without a word.
    world.crash(scene.other);
    lab.is_over.set(true);
    until(world, lab, "the server does not end", || lab.server_ended.get())
}

fn until(
    world: &mut World,
    lab: &Lab,
    otherwise: &str,
    is_finished: impl Fn() -> bool,
) -> Result<(), String> {
    let over = || lab.has_failed() || is_finished();
    let stop = world.run_until(TROUBLE_NS + PEACE_NS, over).map_err(|e| e.to_string())?;
    match lab.finding() {
        Some(reason) => Err(reason),
        None if stop == Stop::Condition => Ok(()),
        None => Err(otherwise.to_owned()),
    }
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
        timeout_ns: rng.pick(&[300, 1_000]) * MS,
        ..NetConfig::default()
    }
}

fn scene(
    world: &mut World,
    rng: &mut Rng,
    seed: u64,
    bursts: &[std::ops::Range<u64>],
    mutation: NbdMutation,
) -> Scene {
    let hosts = ["server", "client", "guest"].map(|name| world.add_host(name));
    let [server, client, other] = hosts;
    let cell_len = rng.pick(&[512, 4096]);
    let slow = Latency { slow_ppm: PPM / 50, slow_ns: 100 * MS..2_500 * MS, ..Latency::default() };
    let disk = world.add_disk(DiskConfig {
        size: CELLS * u64::from(cell_len),
        atomic_len: cell_len,
        depth_max: rng.pick(&[2, 8, 64]),
        latency: if rng.chance(PPM / 2) { slow } else { Latency::default() },
        ..DiskConfig::default()
    });
    let address = world.address(server, PORT);
    let setup = Setup::draw(address.clone(), rng, mutation);
    let mut lab = Lab::new(seed, disk, cell_len, CELLS);
    (lab.vouched, lab.guest) = (CLIENT_CELLS, Some(GUEST_CHANNEL));
    let lab = Rc::new(lab);
    let config = draw_config(address, rng, mutation);
    let guest = Guest { config, lab: Rc::clone(&lab), bursts: bursts.to_vec() };
    Scene { server, client, other, setup, guest, lab }
}

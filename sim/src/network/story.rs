//! The network scenario: trouble for a while, then peace, and everything must have arrived.

use std::cell::RefCell;
use std::rc::Rc;

use byway_engine::core::Core;
use byway_engine::exec::JoinHandle;
use byway_engine::sim::{HostId, NetConfig, PPM, Rng, Stop, World, WorldConfig};

use super::client::Client;
use super::ledger::Ledger;
use super::server::serve;
use crate::{Options, Passed};

const PORT: u16 = 3260;
const MS: u64 = 1_000_000;
/// How long there is trouble, in nanoseconds.
const TROUBLE_NS: u64 = 4_000 * MS;
/// How much time everything may take afterwards, in nanoseconds.
const PEACE_NS: u64 = 300_000 * MS;
/// Things that go wrong.
const TROUBLES: std::ops::Range<u64> = 2..16;
/// The longest that one of them lasts, in nanoseconds.
const LASTS_NS_MAX: u64 = 800 * MS;
/// The clients of a run.
const CLIENTS: std::ops::Range<u64> = 1..4;
/// Messages per client.
const MESSAGES: std::ops::Range<u64> = 20..120;

/// Runs the scenario; a finding is told in words.
pub(crate) fn run(seed: u64, options: Options) -> Result<Passed, String> {
    let mut setup = Rng::new(seed);
    let config = WorldConfig {
        net: net_config(&mut setup),
        observer: options.observer,
        ..WorldConfig::default()
    };
    let mut world = World::new(seed, config);
    let mut rng = world.fork_rng();
    let ledger = Rc::new(RefCell::new(Ledger::default()));
    let server = world.add_host("server");
    start_server(&mut world, server, &ledger);
    let mut clients = Vec::new();
    let mut tasks = Vec::new();
    for _ in 0..rng.within(CLIENTS) {
        let (host, task) = start_client(&mut world, server, &ledger, &mut rng);
        clients.push(host);
        tasks.push(task);
    }
    make_trouble(&mut world, server, &clients, &ledger, &mut rng);
    let over = || ledger.borrow().failure.is_some() || tasks.iter().all(JoinHandle::is_finished);
    let stop = world.run_until(TROUBLE_NS + PEACE_NS, over).map_err(|e| e.to_string())?;
    let ledger = ledger.borrow();
    if let Some(reason) = &ledger.failure {
        return Err(reason.clone());
    }
    if stop != Stop::Condition {
        let (done, tried) = (ledger.acknowledged, ledger.reconnects);
        return Err(format!("not done in time: {done} messages answered, {tried} reconnects"));
    }
    Ok(Passed {
        trace_hash: world.trace_hash(),
        operations: ledger.acknowledged,
        simulated_ns: world.now(),
    })
}

fn net_config(rng: &mut Rng) -> NetConfig {
    let latency = rng.within(10_000..MS);
    NetConfig {
        latency_ns: latency..2 * latency,
        bytes_per_second: rng.pick(&[10_000_000, 1_250_000_000]),
        loss_ppm: rng.pick(&[0, PPM / 1000, PPM / 100]),
        retransmit_ns: 50 * MS,
        reset_ppm: rng.pick(&[0, PPM / 2000]),
        window: rng.pick(&[4 << 10, 64 << 10, 1 << 20]),
        timeout_ns: 1_000 * MS,
        ..NetConfig::default()
    }
}

fn start_server(world: &mut World, server: HostId, ledger: &Rc<RefCell<Ledger>>) {
    let (address, ledger) = (world.address(server, PORT), Rc::clone(ledger));
    drop(world.restart(server, |core| serve(core, address, ledger)));
}

fn start_client(
    world: &mut World,
    server: HostId,
    ledger: &Rc<RefCell<Ledger>>,
    rng: &mut Rng,
) -> (HostId, JoinHandle<()>) {
    let host = world.add_host("client");
    let (address, ledger) = (world.address(server, PORT), Rc::clone(ledger));
    let (messages, rng) = (rng.within(MESSAGES), rng.fork());
    let number = host.index() as u64;
    let run = |core: Rc<Core>| Client { core, address, number, messages, ledger, rng }.run();
    (host, world.start(host, run))
}

/// Plans what goes wrong, and that all is well afterwards.
fn make_trouble(
    world: &mut World,
    server: HostId,
    clients: &[HostId],
    ledger: &Rc<RefCell<Ledger>>,
    rng: &mut Rng,
) {
    for _ in 0..rng.within(TROUBLES) {
        let at = rng.below(TROUBLE_NS - LASTS_NS_MAX);
        let until = at + rng.below(LASTS_NS_MAX);
        let client = rng.pick(clients);
        let again = Rc::clone(ledger);
        match rng.below(6) {
            0 => cut(world, client, server, at, until),
            1 => cut(world, server, client, at, until),
            2 => {
                cut(world, client, server, at, until);
                cut(world, server, client, at, until);
            }
            3 => world.at(at, move |world| world.reset_connections(client, server)),
            4 => {
                world.at(at, move |world| world.crash(server));
                world.at(until, move |world| start_server(world, server, &again));
            }
            _ => {
                let host = rng.pick(&[client, server]);
                world.at(at, move |world| world.pause(host, until - at));
            }
        }
    }
    let (clients, ledger) = (clients.to_vec(), Rc::clone(ledger));
    world.at(TROUBLE_NS, move |world| {
        clients.iter().for_each(|client| world.heal(*client, server));
        start_server(world, server, &ledger);
    });
}

fn cut(world: &mut World, from: HostId, to: HostId, at: u64, until: u64) {
    world.at(at, move |world| world.cut_link(from, to));
    world.at(until, move |world| world.heal_link(from, to));
}

//! What goes wrong: bursts of trouble with calm between them, and peace at the end.

use std::ops::Range;
use std::rc::Rc;

use byway_engine::sim::{HostId, PPM, Rng, World};

use super::client::Guest;
use super::server::Setup;
use crate::lab::Lab;

const MS: u64 = 1_000_000;
/// Simulated time of a run up to its peace, in nanoseconds.
pub(super) const TROUBLE_NS: u64 = 600_000 * MS;
/// Bursts of trouble in a run.
const BURSTS: Range<u64> = 1..4;
/// How long a burst lasts, in nanoseconds.
const BURST_NS: u64 = 4_000 * MS;
/// Things that go wrong in a burst.
const TROUBLES: Range<u64> = 1..8;
/// The longest that one of them lasts, in nanoseconds.
const LASTS_NS_MAX: u64 = 1_500 * MS;

/// The hosts of a run, and what a new life of the server is made of.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) server: HostId,
    pub(super) client: HostId,
    /// The host of the client that crashes.
    pub(super) other: HostId,
    pub(super) setup: Setup,
    pub(super) guest: Guest,
    pub(super) lab: Rc<Lab>,
}

/// When there is work, and trouble with it.
pub(super) fn draw_bursts(rng: &mut Rng) -> Vec<Range<u64>> {
    let count = rng.within(BURSTS);
    let share = TROUBLE_NS / count;
    let burst = |n| {
        let start = n * share + rng.below(share - BURST_NS);
        start..start + BURST_NS
    };
    (0..count).map(burst).collect()
}

impl Scene {
    /// A life of the server begins.
    pub(super) fn start_server(&self, world: &mut World) {
        let (lab, setup) = (Rc::clone(&self.lab), self.setup.clone());
        drop(world.restart(self.server, |core| setup.serve(core, lab)));
    }

    /// A life of the client begins that crashes now and then.
    pub(super) fn start_guest(&self, world: &mut World) {
        let (guest, rng) = (self.guest.clone(), world.fork_rng());
        drop(world.restart(self.other, |core| guest.live(core, rng)));
    }

    /// The server ends with all that it had under way; its disk may lose what its cache held.
    fn stop_server(&self, world: &mut World, loses_cache: bool) {
        world.crash(self.server);
        self.lab.disk.settle_orphans();
        self.lab.witness.target_gone();
        if loses_cache {
            self.lab.lose_cache(world.now());
        }
    }

    /// Plans what goes wrong, and that all is well afterwards.
    pub(super) fn plan(&self, world: &mut World, rng: &mut Rng, bursts: &[Range<u64>]) {
        for burst in bursts {
            for _ in 0..rng.within(TROUBLES) {
                let at = burst.start + rng.below(BURST_NS - LASTS_NS_MAX);
                let until = at + rng.below(LASTS_NS_MAX);
                self.one(world, rng, at, until);
            }
        }
        let scene = self.clone();
        world.at(TROUBLE_NS, move |world| {
            for client in [scene.client, scene.other] {
                world.heal(scene.server, client);
            }
            if !world.is_up(scene.server) {
                scene.start_server(world);
            }
        });
    }

    fn one(&self, world: &mut World, rng: &mut Rng, at: u64, until: u64) {
        let (scene, other) = (self.clone(), self.clone());
        let client = if rng.chance(PPM * 3 / 4) { self.client } else { self.other };
        let server = self.server;
        match rng.below(12) {
            0 => cut(world, client, server, at, until),
            1 => cut(world, server, client, at, until),
            2 => {
                cut(world, client, server, at, until);
                cut(world, server, client, at, until);
            }
            3 => world.at(at, move |world| world.reset_connections(client, server)),
            4 | 5 => {
                let loses_cache = rng.chance(PPM / 2);
                world.at(at, move |world| scene.stop_server(world, loses_cache));
                world.at(until, move |world| {
                    if !world.is_up(other.server) {
                        other.start_server(world);
                    }
                });
            }
            6 | 7 => {
                let nth = rng.below(8) as usize;
                world.at(at, move |world| world.lose_connection(client, server, nth));
            }
            8 => world.at(at, move |_| scene.lab.asks_to_stop.set(true)),
            9 => {
                world.at(at, move |world| world.crash(scene.other));
                world.at(until, move |world| {
                    if !world.is_up(other.other) {
                        other.start_guest(world);
                    }
                });
            }
            10 => {
                // The client takes the connection for lost, and its server has not seen a byte of it.
                let host = self.server;
                world.at(at, move |world| world.pause(host, until - at));
                world.at(at + (until - at) / 2, move |world| {
                    world.lose_connection(client, server, 0);
                });
            }
            _ => {
                let host = rng.pick(&[client, server]);
                world.at(at, move |world| world.pause(host, until - at));
            }
        }
    }
}

fn cut(world: &mut World, from: HostId, to: HostId, at: u64, until: u64) {
    world.at(at, move |world| world.cut_link(from, to));
    world.at(until, move |world| world.heal_link(from, to));
}

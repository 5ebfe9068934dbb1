//! What goes wrong besides the target's own mischief, and the peace at the end.

use std::rc::Rc;

use byway_engine::sim::{HostId, PPM, Rng, World};

use super::target::Setup;
use crate::lab::Lab;

const MS: u64 = 1_000_000;
/// How long there is trouble, in nanoseconds.
pub(super) const TROUBLE_NS: u64 = 4_000 * MS;
/// Things that go wrong.
const TROUBLES: std::ops::Range<u64> = 1..10;
/// The longest that one of them lasts, in nanoseconds.
const LASTS_NS_MAX: u64 = 1_500 * MS;
/// The first connection after a loss of the cache is cut at one of its first PDUs.
const CUT_AT_PDU_MAX: u64 = 16;

/// The hosts of a run, and what a new life of the target is made of.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) target: HostId,
    pub(super) initiator: HostId,
    pub(super) setup: Setup,
    pub(super) lab: Rc<Lab>,
}

impl Scene {
    /// A life of the target begins.
    pub(super) fn start_target(&self, world: &mut World, setup: Setup) {
        let (lab, rng) = (Rc::clone(&self.lab), world.fork_rng());
        drop(world.restart(self.target, |core| setup.serve(core, lab, rng)));
    }

    /// The target ends with all that it had under way; its disk may lose what its cache held.
    fn stop_target(&self, world: &mut World, loses_cache: bool) {
        world.crash(self.target);
        self.lab.disk.settle_orphans();
        self.lab.witness.target_gone();
        if loses_cache {
            self.lab.lose_cache(world.now());
        }
    }

    /// Plans what goes wrong, and that all is well afterwards.
    pub(super) fn plan(&self, world: &mut World, rng: &mut Rng) {
        for _ in 0..rng.within(TROUBLES) {
            let at = rng.below(TROUBLE_NS - LASTS_NS_MAX);
            self.one(world, rng, at, at + rng.clone().below(LASTS_NS_MAX));
        }
        let (scene, is_tamed) = (self.clone(), rng.chance(PPM / 2));
        world.at(TROUBLE_NS, move |world| {
            world.heal(scene.target, scene.initiator);
            if is_tamed || !world.is_up(scene.target) {
                scene.stop_target(world, false);
                scene.start_target(world, scene.setup.tamed());
            }
        });
    }

    fn one(&self, world: &mut World, rng: &mut Rng, at: u64, until: u64) {
        let (scene, other) = (self.clone(), self.clone());
        let (target, initiator) = (self.target, self.initiator);
        match rng.below(10) {
            0 => cut(world, initiator, target, at, until),
            1 => cut(world, target, initiator, at, until),
            2 => {
                cut(world, initiator, target, at, until);
                cut(world, target, initiator, at, until);
            }
            3 => world.at(at, move |world| world.reset_connections(initiator, target)),
            4 | 5 => {
                let loses_cache = rng.chance(PPM / 2);
                world.at(at, move |world| scene.stop_target(world, loses_cache));
                let mut setup = self.setup.clone();
                let cut_at = 1 + rng.clone().below(CUT_AT_PDU_MAX);
                setup.faults.cut_first_at_pdu = loses_cache.then_some(cut_at);
                world.at(until, move |world| {
                    if !world.is_up(other.target) {
                        other.start_target(world, setup);
                    }
                });
            }
            6 | 7 => {
                let nth = rng.below(8) as usize;
                world.at(at, move |world| world.lose_connection(initiator, target, nth));
            }
            8 => world.at(at, move |_| scene.lab.asks_to_stop.set(true)),
            _ => {
                let host = rng.pick(&[initiator, target]);
                world.at(at, move |world| world.pause(host, until - at));
            }
        }
    }
}

fn cut(world: &mut World, from: HostId, to: HostId, at: u64, until: u64) {
    world.at(at, move |world| world.cut_link(from, to));
    world.at(until, move |world| world.heal_link(from, to));
}

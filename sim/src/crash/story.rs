//! The rounds of the crash scenario: recovery, work, disaster.

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::core::Core;
use byway_engine::exec::Class;
use byway_engine::sim::{DiskConfig, HostId, Livelock, Rng, SimDisk, World, WorldConfig};

use super::stack::stack;
use super::worker::{Lab, Worker};
use crate::{Options, Passed};

/// Cells of the disk: few, so that requests meet.
const CELLS: u64 = 48;
/// The most cells before the ones in use, for the slice to skip.
const OFFSET_CELLS_MAX: u64 = 8;
/// Rounds of one run.
const ROUNDS: std::ops::Range<u64> = 2..6;
/// Tasks that work at the same time.
const WORKERS: std::ops::Range<u64> = 2..6;
/// How long a round works in nanoseconds: from "in the middle of recovery" to "much was done".
const ROUND_NS: std::ops::Range<u64> = 100_000..15_000_000;
/// How long an end may take in nanoseconds.
const END_NS_MAX: u64 = 60_000_000_000;

struct Story {
    world: World,
    host: HostId,
    disk: SimDisk,
    /// Where the cells begin.
    offset: u64,
    lab: Rc<Lab>,
    rng: Rng,
}

/// Runs the scenario; a finding is told in words.
pub(crate) fn run(seed: u64, options: Options) -> Result<Passed, String> {
    let mut story = Story::new(seed, options);
    let rounds = story.rng.within(ROUNDS);
    for _ in 0..rounds {
        story.round()?;
    }
    story.end()
}

impl Story {
    fn new(seed: u64, options: Options) -> Story {
        let config = WorldConfig { observer: options.observer, ..WorldConfig::default() };
        let mut world = World::new(seed, config);
        let mut rng = world.fork_rng();
        let host = world.add_host("writer");
        let cell_len = rng.pick(&[512, 4096]);
        let offset = rng.below(OFFSET_CELLS_MAX) * u64::from(cell_len);
        let disk = world.add_disk(DiskConfig {
            size: offset + (CELLS + OFFSET_CELLS_MAX) * u64::from(cell_len),
            atomic_len: cell_len,
            depth_max: rng.pick(&[2, 8, 64]),
            mutation: options.mutation,
            ..DiskConfig::default()
        });
        let lab = Rc::new(Lab::new(seed, cell_len, CELLS));
        Story { world, host, disk, offset, lab, rng }
    }

    /// The device as one life of the host sees it.
    fn device(&mut self) -> Result<Arc<dyn BlockDevice>, String> {
        let len = CELLS * u64::from(self.lab.cell_len);
        stack(&self.disk, self.offset, len, &mut self.rng).map_err(|e| e.to_string())
    }

    /// The host starts, looks at what is left, and works until something happens to it.
    fn round(&mut self) -> Result<(), String> {
        let workers = self.rng.within(WORKERS);
        self.start(workers)?;
        let ns = self.rng.within(ROUND_NS);
        self.run_for(ns)?;
        match self.rng.below(6) {
            0 => self.crash(),
            1 => {
                self.lose_power();
                self.crash();
            }
            2 => {
                self.crash();
                self.lose_power();
            }
            3 => {
                self.lose_power();
                self.run_for(1_000_000)?;
                self.crash();
            }
            4 => {
                self.world.pause(self.host, 5_000_000);
                self.run_for(4_000_000)?;
                self.crash();
                self.lose_power();
            }
            _ => {
                self.crash();
                self.run_for(25_000_000)?;
                self.disk.settle_orphans();
                self.lose_power();
            }
        }
        self.disk.settle_orphans();
        Ok(())
    }

    /// Starts the host: recovery first, then the workers.
    fn start(&mut self, workers: u64) -> Result<(), String> {
        self.lab.is_unpowered.set(false);
        let (device, lab) = (self.device()?, Rc::clone(&self.lab));
        let rngs: Vec<Rng> = (0..=workers).map(|_| self.rng.fork()).collect();
        let main = |core| begin(core, device, lab, rngs);
        drop(self.world.restart(self.host, main));
        Ok(())
    }

    fn crash(&mut self) {
        self.world.crash(self.host);
        self.lab.model.borrow_mut().host_crashed();
    }

    fn lose_power(&mut self) {
        self.lab.is_unpowered.set(true);
        self.disk.power_loss();
        self.lab.model.borrow_mut().power_lost();
    }

    fn run_for(&mut self, ns: u64) -> Result<(), String> {
        let deadline = self.world.now().saturating_add(ns);
        let lab = Rc::clone(&self.lab);
        self.world.run_until(deadline, || lab.has_failed()).map_err(|e| e.to_string())?;
        self.finding()
    }

    fn finding(&self) -> Result<(), String> {
        match self.lab.failure.borrow_mut().take() {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }

    /// The last look: what is left of everything.
    fn end(mut self) -> Result<Passed, String> {
        self.lab.is_unpowered.set(false);
        let lab = Rc::clone(&self.lab);
        let deadline = self.world.now().saturating_add(END_NS_MAX);
        let (host, seen) = (self.host, Rc::clone(&self.lab));
        let (device, rng) = (self.device()?, self.rng.fork());
        let look = self.world.restart(host, |core| recover(core, device, lab, rng));
        let over = || look.is_finished() || seen.has_failed();
        self.world.run_until(deadline, over).map_err(|e: Livelock| e.to_string())?;
        self.finding()?;
        if !look.is_finished() {
            return Err("the last look at the disk does not end".into());
        }
        let operations = self.lab.operations.get();
        Ok(Passed {
            trace_hash: self.world.trace_hash(),
            operations,
            simulated_ns: self.world.now(),
        })
    }
}

fn worker(core: &Rc<Core>, device: &dyn BlockDevice, lab: &Rc<Lab>, rng: Rng) -> Option<Worker> {
    let disk = Disk::open(core, device).map_err(|error| lab.fail(error.to_string())).ok()?;
    Some(Worker { core: Rc::clone(core), disk, lab: Rc::clone(lab), rng })
}

async fn recover(core: Rc<Core>, device: Arc<dyn BlockDevice>, lab: Rc<Lab>, rng: Rng) {
    if let Some(mut worker) = worker(&core, &*device, &lab, rng) {
        let _over = worker.recover().await;
    }
}

/// A host's life: recovery, then workers on one channel.
async fn begin(core: Rc<Core>, device: Arc<dyn BlockDevice>, lab: Rc<Lab>, mut rngs: Vec<Rng>) {
    let Some(first) = rngs.pop() else { return };
    let Some(mut chief) = worker(&core, &*device, &lab, first) else { return };
    if chief.recover().await.is_err() {
        return;
    }
    for rng in rngs {
        let disk = chief.disk.clone();
        let worker = Worker { core: Rc::clone(&core), disk, lab: Rc::clone(&lab), rng };
        drop(core.spawn(Class::Foreground, "worker", worker.work()));
    }
}

//! The clients of a run: one that lives through everything, and a guest that crashes.

use std::ops::Range;
use std::rc::Rc;

use byway_engine::core::Core;
use byway_engine::exec::Class;
use byway_engine::net::Address;
use byway_engine::sim::{PPM, Rng};
use byway_export::nbd::client::{Mutation, NbdConfig, NbdDevice};

use super::NbdMutation;
use super::server::EXPORT;
use super::trouble::TROUBLE_NS;
use crate::lab::look::{arena_is_whole, desks, settle_down};
use crate::lab::worker::{Desk, Worker};
use crate::lab::{CELLS, Lab};

const MS: u64 = 1_000_000;
/// The cells of the client; the guest has the others.
pub(super) const CLIENT_CELLS: Range<u64> = 0..40;
const GUEST_CELLS: Range<u64> = 40..CELLS;
/// The guest's way is told apart from those of the client.
pub(super) const GUEST_CHANNEL: usize = 9;
/// How long requests wait for a connection, in nanoseconds.
const RECONNECT_NS: u64 = 20_000 * MS;
/// How long a request may take, in nanoseconds.
const PATIENCE_NS: u64 = RECONNECT_NS + 40_000 * MS;
/// How long a request takes at most where nothing goes wrong, in nanoseconds.
const CALM_NS: u64 = 15_000 * MS;
/// The pause between two attempts to open the export, in nanoseconds.
const PAUSE_NS: u64 = 100 * MS;

/// How the clients deal with the server.
pub(super) fn draw_config(address: Address, rng: &mut Rng, mutation: NbdMutation) -> NbdConfig {
    NbdConfig {
        depth: rng.pick(&[1, 4, 128]),
        reconnect_ns: RECONNECT_NS,
        mutation: match mutation {
            NbdMutation::None | NbdMutation::Server(_) => None,
            NbdMutation::ReplayUnsure => Some(Mutation::ReplayUnsure),
            NbdMutation::LossUntold => Some(Mutation::LossUntold),
        },
        ..NbdConfig::new(address, EXPORT)
    }
}

/// The client that stays.
pub(super) struct Client {
    pub(super) config: NbdConfig,
    pub(super) lab: Rc<Lab>,
    pub(super) rng: Rng,
    /// When there is work.
    pub(super) bursts: Vec<Range<u64>>,
    /// Connections that it would like.
    pub(super) ways: usize,
}

impl Client {
    /// Opens the export, works on it, looks at what is there at the end, and leaves.
    pub(super) async fn live(mut self, core: Rc<Core>) {
        let device = open(&core, &self.config).await;
        let Some(desks) = desks(&core, &device, &self.lab, self.ways, PATIENCE_NS) else { return };
        let running: Vec<_> = self
            .workers(&core, &desks)
            .into_iter()
            .map(|worker| {
                let bursts = self.bursts.clone();
                core.spawn(Class::Foreground, "worker", work(worker, bursts))
            })
            .collect();
        for worker in running {
            let _joined = worker.await;
        }
        core.sleep_until(TROUBLE_NS).await;
        settle_down(&core, &desks, &self.lab).await;
        self.calm(&core, &desks).await;
        drop((desks, device));
        self.leave(&core).await;
    }

    /// In calm a request takes no longer than disk and network do: a client that has to wait for an
    /// answer that never comes takes the connection for lost only after its silence. While nothing is
    /// asked, the server has nothing of what was.
    async fn calm(&self, core: &Rc<Core>, desks: &[Rc<Desk>]) {
        for desk in desks {
            for place in 0..CELLS {
                let began_ns = core.now();
                desk.read(place..place + 1).await;
                let took_ns = core.now() - began_ns;
                if took_ns > CALM_NS {
                    self.lab.fail(format!("a request took {took_ns} ns in calm"));
                }
            }
        }
        self.lab.is_idle.set(true);
        while !self.lab.server_is_idle.get() && !self.lab.has_failed() {
            core.sleep(PAUSE_NS).await;
        }
    }

    fn workers(&mut self, core: &Rc<Core>, desks: &[Rc<Desk>]) -> Vec<Worker> {
        let workers = self.rng.within(1..5);
        let is_shared = self.rng.chance(PPM / 2);
        let share = CLIENT_CELLS.end / workers;
        let worker = |n: u64| {
            let cells = if is_shared { CLIENT_CELLS } else { n * share..(n + 1) * share };
            let desk = Rc::clone(&desks[self.rng.below(desks.len() as u64) as usize]);
            Worker { core: Rc::clone(core), desk, cells, rng: self.rng.fork() }
        };
        (0..workers).map(worker).collect()
    }

    /// Nothing is left of the device once its tasks have ended.
    async fn leave(self, core: &Rc<Core>) {
        core.sleep(PAUSE_NS).await;
        if let Err(words) = arena_is_whole(core) {
            self.lab.fail(format!("on the client's host, {words}"));
        }
    }
}

/// A client whose host crashes in the middle of its writes.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) config: NbdConfig,
    pub(super) lab: Rc<Lab>,
    pub(super) bursts: Vec<Range<u64>>,
}

impl Guest {
    /// One life: works until it crashes or the trouble is over, and leaves.
    pub(super) async fn live(self, core: Rc<Core>, rng: Rng) {
        let device = open(&core, &self.config).await;
        let Some(desks) = desks(&core, &device, &self.lab, 1, PATIENCE_NS) else { return };
        let desk = Rc::clone(&desks[0]);
        let desk = Rc::new(Desk {
            core: Rc::clone(&core),
            disk: desk.disk.clone(),
            channel: GUEST_CHANNEL,
            lab: Rc::clone(&self.lab),
            patience_ns: PATIENCE_NS,
        });
        let worker = Worker { core: Rc::clone(&core), desk, cells: GUEST_CELLS, rng };
        work(worker, self.bursts).await;
    }
}

async fn open(core: &Rc<Core>, config: &NbdConfig) -> NbdDevice {
    loop {
        match NbdDevice::open_on(core, config.clone()).await {
            Ok(device) => return device,
            Err(_refused) => core.sleep(PAUSE_NS).await,
        }
    }
}

async fn work(mut worker: Worker, bursts: Vec<Range<u64>>) {
    for burst in bursts {
        let core = Rc::clone(&worker.core);
        core.sleep_until(burst.start).await;
        worker.work(burst.end).await;
    }
}

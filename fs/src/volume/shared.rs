//! What all handles and tasks of a mounted volume share; it lives on one core.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::core::{Core, Driver, Signal, within};
use byway_engine::usage::unix_time_ms;

use super::bell::Bell;
use super::blocks::Pipe;
use super::ring::Ring;
use super::{MountOptions, SyncHook};
use crate::format::Superblock;
use crate::store::{FsError, Store, Time};

/// What a mounted volume does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It takes changes.
    Active,
    /// It was mounted for reading only.
    ReadOnly,
    /// It takes no changes any more, and this is why.
    Withdrawn(FsError),
    /// It is unmounted, or its last handle is gone.
    Unmounted,
}

/// What a mounted volume has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeCounts {
    /// Commits that became durable.
    pub commits: u64,
    /// Blocks that they took in the journal.
    pub commit_blocks: u64,
    /// Writes to the journal that they took.
    pub commit_writes: u64,
    /// Blocks that were written in place.
    pub placed: u64,
    /// Rounds of that, each with a flush.
    pub rounds: u64,
    /// Writes of the journal's head.
    pub heads: u64,
    /// Operations that waited for room in the journal.
    pub waits_for_room: u64,
}

pub(super) struct Shared {
    pub(super) core: Rc<Core>,
    pub(super) disk: Disk,
    pub(super) device: Arc<dyn BlockDevice>,
    pub(super) options: MountOptions,
    pub(super) superblock: RefCell<Superblock>,
    pub(super) slot: u16,
    pub(super) incarnation: u64,
    pub(super) store: RefCell<Store>,
    /// None where the volume is mounted for reading only.
    pub(super) ring: RefCell<Option<Ring>>,
    pub(super) status: RefCell<Status>,
    pub(super) bell: Bell,
    /// Commits up to here are asked for.
    pub(super) wanted: Cell<u64>,
    /// Commits up to here are durable.
    pub(super) durable: Cell<u64>,
    /// The tail of the journal is asked to come here.
    pub(super) goal: Cell<u64>,
    pub(super) commit_signal: Signal,
    pub(super) place_signal: Signal,
    pub(super) orphan_signal: Signal,
    /// A round of writing in place is under way.
    pub(super) is_placing: Cell<bool>,
    pub(super) commit_pipe: RefCell<Option<Pipe>>,
    pub(super) place_pipe: RefCell<Option<Pipe>>,
    pub(super) hooks: RefCell<Vec<Rc<dyn SyncHook>>>,
    pub(super) needs_fsck: Cell<bool>,
    /// Operations wait: something outside of them changes.
    pub(super) is_frozen: Cell<bool>,
    /// The number of the newest heartbeat.
    pub(super) beats: Cell<u64>,
    /// A heartbeat is being written.
    pub(super) is_beating: Cell<bool>,
    pub(super) counts: Cell<VolumeCounts>,
    /// What is added to the core's clock for nanoseconds since 1970.
    pub(super) epoch: Cell<Time>,
}

impl Shared {
    /// Nanoseconds since 1970; under simulation, since the start of the world.
    pub(super) fn now(&self) -> Time {
        self.epoch.get() + Time::from(self.core.now())
    }

    /// Reads the wall clock, so that times follow it when it is set.
    pub(super) fn read_wall_clock(&self) {
        self.epoch.set(epoch(&self.core));
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut VolumeCounts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }

    pub(super) fn is_active(&self) -> bool {
        *self.status.borrow() == Status::Active
    }

    /// Why the volume takes no changes.
    pub(super) fn reason(&self) -> FsError {
        match &*self.status.borrow() {
            Status::Withdrawn(error) => error.clone(),
            _ => FsError::ReadOnly,
        }
    }

    /// The volume takes no changes from here on: what is in memory may not be what is on disk.
    pub(super) fn withdraw(&self, error: FsError) {
        if !self.is_active() {
            return;
        }
        let name = &self.disk.info().name;
        tracing::error!("{name}: the volume is read-only from here on, because {error}");
        self.end_with(Status::Withdrawn(error));
    }

    /// Sleeps for `ns` nanoseconds, or until the volume is unmounted.
    pub(super) async fn sleep(&self, ns: u64) {
        let ended = self.bell.until(|| self.is_unmounted());
        within(&self.core, self.core.now().saturating_add(ns), ended).await;
    }

    pub(super) fn is_unmounted(&self) -> bool {
        *self.status.borrow() == Status::Unmounted
    }

    /// Ends the life of the volume's tasks.
    pub(super) fn end_with(&self, status: Status) {
        *self.status.borrow_mut() = status;
        self.store.borrow_mut().set_read_only();
        self.wake_all();
    }

    pub(super) fn wake_all(&self) {
        self.commit_signal.raise();
        self.place_signal.raise();
        self.orphan_signal.raise();
        self.bell.ring();
    }

    /// Tells the store how far the running transaction may grow.
    pub(super) fn update_room(&self) {
        if let Some(ring) = &*self.ring.borrow() {
            self.store.borrow_mut().set_room(ring.room());
        }
    }
}

/// What is added to a core's clock for nanoseconds since 1970.
pub(super) fn epoch(core: &Core) -> Time {
    match core.driver() {
        Driver::Sim(_) | Driver::Standalone => 0,
        Driver::Kernel(_) => Time::from(unix_time_ms()) * 1_000_000 - Time::from(core.now()),
    }
}

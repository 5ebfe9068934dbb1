//! What all cores know of an open file.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use byway_engine::block::{BlockDevice, DeviceInfo};

use super::message::{ChannelId, ToHome};
use super::policy::{Policy, Stamps};
use super::pool::Pool;
use crate::inode::InodeRef;

/// Facts that the home sets and channels read with plain loads.
pub(super) struct Facts {
    /// Bytes of the file.
    size: AtomicU64,
    /// Changes that only the home's flush makes durable, and how many of them are.
    changes: AtomicU64,
    durable: AtomicU64,
    /// Data was written since the times were last set.
    wrote: AtomicBool,
    /// Wakes the home's task; there once it ran.
    waker: OnceLock<Waker>,
    next_channel: AtomicU64,
    /// The policy of caching, and what makes copies stale.
    pub(super) stamps: Stamps,
}

impl Facts {
    pub(super) fn new(size: u64, policy: Policy) -> Arc<Facts> {
        Arc::new(Facts {
            size: size.into(),
            changes: 0.into(),
            durable: 0.into(),
            wrote: false.into(),
            waker: OnceLock::new(),
            next_channel: 0.into(),
            stamps: Stamps::new(policy),
        })
    }

    pub(super) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    pub(super) fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::Release);
    }

    /// Something changes that a flush of the device alone does not make durable. Called before
    /// whoever caused it is answered.
    pub(super) fn change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// The changes so far, to be told to [`Facts::settle`] when they are durable.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn settle(&self, changes: u64) {
        self.durable.fetch_max(changes, Ordering::AcqRel);
    }

    pub(super) fn is_settled(&self) -> bool {
        self.changes() == self.durable.load(Ordering::Acquire)
    }

    /// True once after data was written.
    pub(super) fn take_wrote(&self) -> bool {
        self.wrote.load(Ordering::Relaxed) && self.wrote.swap(false, Ordering::AcqRel)
    }

    /// The home's task is this one.
    pub(super) fn set_waker(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }

    /// The home has messages.
    pub(super) fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}

/// An open file: the last handle or channel that holds it closes it.
pub(super) struct Shared {
    pub(super) at: InodeRef,
    pub(super) facts: Arc<Facts>,
    /// There until the drop.
    to_home: Option<SyncSender<ToHome>>,
    pub(super) device: Arc<dyn BlockDevice>,
    info: DeviceInfo,
    pub(super) pool: Arc<Pool>,
    /// What the file is called in caches.
    pub(super) file: u64,
}

impl Shared {
    /// `info` is the device's, under the file's name.
    pub(super) fn new(
        at: InodeRef,
        facts: Arc<Facts>,
        to_home: SyncSender<ToHome>,
        device: Arc<dyn BlockDevice>,
        info: DeviceInfo,
        pool: Arc<Pool>,
    ) -> Shared {
        let file = pool.new_file();
        Shared { at, facts, to_home: Some(to_home), device, info, pool, file }
    }

    pub(super) fn to_home(&self) -> &SyncSender<ToHome> {
        self.to_home.as_ref().expect("it is there until the drop")
    }

    pub(super) fn wake_home(&self) {
        self.facts.wake();
    }

    /// The size as a block device: whole sectors.
    #[inline]
    pub(super) fn device_size(&self) -> u64 {
        self.facts.size() & !(self.sector_len() - 1)
    }

    #[inline]
    pub(super) fn sector_len(&self) -> u64 {
        u64::from(self.info.block_len)
    }

    /// Requests that a channel takes at once.
    #[inline]
    pub(super) fn depth(&self) -> u32 {
        self.info.depth_max
    }

    pub(super) fn name(&self) -> &str {
        &self.info.name
    }

    pub(super) fn is_settled(&self) -> bool {
        self.facts.is_settled()
    }

    /// Data is written: a plain load where it is known already.
    #[inline]
    pub(super) fn note_write(&self) {
        if !self.facts.wrote.load(Ordering::Relaxed) {
            self.facts.wrote.store(true, Ordering::Release);
        }
    }

    pub(super) fn new_channel(&self) -> ChannelId {
        self.facts.next_channel.fetch_add(1, Ordering::Relaxed)
    }

    /// What the file is as a device.
    pub(super) fn info(&self) -> DeviceInfo {
        DeviceInfo { size: self.device_size(), ..self.info.clone() }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The home finds its queue closed and ends.
        self.to_home = None;
        self.facts.wake();
    }
}

//! The shell around the machines: mounting, running operations, commits, heartbeat, withdrawal.
//!
//! A volume lives on one home core; its handles are clones of one `Rc`. Invariants: an operation
//! runs without interruption; what is durable is so by a commit in the journal; a volume that cannot
//! write its journal takes no changes any more.

mod bell;
mod blocks;
mod commit;
mod directory;
mod grow;
mod heartbeat;
mod mount;
mod options;
mod place;
mod recover;
mod ring;
mod run;
mod shared;
mod sync;
mod tasks;
#[cfg(test)]
mod tests;
mod unmount;

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::core::Core;
use byway_engine::exec::Class;

pub use directory::{Directory, Names};
pub use heartbeat::{HEARTBEAT_NS, WATCH_NS, unused};
pub use options::{COMMIT_INTERVAL_NS, MountError, MountOptions, Refusal};
pub use recover::Replayed;
pub use shared::{Status, VolumeCounts};
pub use sync::{AfterFlush, LocalFuture, SyncHook};

use crate::format::{Geometry, Kind, SLOT_MOUNTED, SLOTS, SlotCore, Superblock};
use crate::inode::InodeRef;
use crate::store::{CacheCounts, FsError, LockCounts, LockId, Mode, Op, Stop, Time, Want};
use shared::Shared;

/// A mounted volume. Clones are handles of the same one. [`Volume::unmount`] ends it in order;
/// where a core just ends, the next mount replays the journal.
#[derive(Clone)]
pub struct Volume {
    shared: Rc<Shared>,
}

/// Blocks and inodes of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statfs {
    /// Blocks that can be allocated at all.
    pub blocks: u64,
    /// Those that are free, also where a freed block may not be used just yet.
    pub blocks_free: u64,
    /// Inodes in use.
    pub inodes: u64,
}

impl Volume {
    /// Mounts the volume on `device`; `core` is its home from here on. Journals that were left
    /// behind are replayed, and orphans are finished in the background.
    pub async fn mount(
        core: &Rc<Core>,
        device: Arc<dyn BlockDevice>,
        options: MountOptions,
    ) -> Result<Volume, MountError> {
        Volume::mount_and_tell(core, device, options).await.map(|(volume, _)| volume)
    }

    /// As [`Volume::mount`], and tells what the replay did.
    pub async fn mount_and_tell(
        core: &Rc<Core>,
        device: Arc<dyn BlockDevice>,
        options: MountOptions,
    ) -> Result<(Volume, Replayed), MountError> {
        let (shared, replayed) = mount::mount(core, device, options).await?;
        let volume = Volume { shared };
        if volume.shared.is_active() {
            let incarnation = volume.shared.incarnation;
            let marked = volume.run(|op| mount::mark_slot(op, incarnation, SLOT_MOUNTED)).await;
            if let Err(error) = marked {
                volume.shared.end_with(Status::Unmounted);
                let device = volume.disk().info().name.clone();
                return Err(MountError { device, refusal: error.into() });
            }
            if volume.shared.options.finish_orphans {
                let task = tasks::finish_orphans(Rc::clone(&volume.shared));
                core.spawn(Class::Background, "fs-orphans", task);
            }
        }
        Ok((volume, replayed))
    }

    fn of(shared: &Rc<Shared>) -> Volume {
        Volume { shared: Rc::clone(shared) }
    }

    /// Runs one operation to its end, reading what it misses. It may run several times, and must
    /// change nothing but the `Op` before it succeeds. Its changes are visible at once and durable
    /// after the next [`Volume::commit`].
    ///
    /// # Errors
    /// The operation's own; `ReadOnly` where the volume takes no changes; `Io` where a block cannot
    /// be read.
    pub async fn run<T>(
        &self,
        operation: impl FnMut(&mut Op<'_>) -> Result<T, Stop>,
    ) -> Result<T, FsError> {
        run::run(&self.shared, operation).await
    }

    /// Runs one operation that is likely to find everything in memory, without waiting; `None`
    /// where it would have to.
    pub fn try_run<T>(
        &self,
        operation: impl FnMut(&mut Op<'_>) -> Result<T, Stop>,
    ) -> Option<Result<T, FsError>> {
        run::try_run(&self.shared, operation)
    }

    /// Makes every change of metadata durable that operations made by now. Callers that wait
    /// together share a commit.
    ///
    /// # Errors
    /// The reason for which the volume was withdrawn.
    pub async fn commit(&self) -> Result<(), FsError> {
        self.shared.commit().await
    }

    /// Makes data and metadata durable: the hooks note what is written, the device is flushed, the
    /// hooks' operations run, one commit.
    pub async fn sync(&self) -> Result<(), FsError> {
        sync::sync(&self.shared).await
    }

    /// Makes every write durable that the device completed by now; see [`Volume::disk`].
    pub async fn flush(&self) -> Result<(), FsError> {
        sync::flush(&self.shared).await
    }

    /// Registers somebody with data that [`Volume::sync`] must look after.
    pub fn add_hook(&self, hook: Rc<dyn SyncHook>) {
        self.shared.hooks.borrow_mut().push(hook);
    }

    /// Takes out what `add_hook` registered.
    pub fn remove_hook(&self, hook: &Rc<dyn SyncHook>) {
        self.shared.hooks.borrow_mut().retain(|other| !Rc::ptr_eq(other, hook));
    }

    /// Syncs, writes everything in place, and leaves the journal empty and the slot free. The other
    /// handles take no changes any more.
    pub async fn unmount(&self) -> Result<(), FsError> {
        unmount::unmount(&self.shared).await
    }

    /// Makes everything durable in place too, so that the journal is empty.
    pub async fn checkpoint(&self) -> Result<(), FsError> {
        self.shared.place_all().await
    }

    /// Lets the volume use all of a device that became longer; operations wait meanwhile. Gives the
    /// blocks that it has then.
    ///
    /// # Errors
    /// `Invalid` where the device is shorter than the volume, or too long for its groups.
    pub async fn grow(&self) -> Result<u64, FsError> {
        match self.shared.is_active() {
            true => grow::grow(&self.shared).await,
            false => Err(self.shared.reason()),
        }
    }

    /// Gives a glock down to `mode`: its blocks become durable in place, by one commit, the writes
    /// and one flush, and where it is not held at all any more, they leave the memory.
    pub async fn downgrade(&self, lock: LockId, mode: Mode) -> Result<(), FsError> {
        self.shared.place_under(lock).await?;
        self.shared.store.borrow_mut().downgraded(lock, mode);
        Ok(())
    }

    /// Blocks and inodes.
    pub async fn statfs(&self) -> Result<Statfs, FsError> {
        let (used, inodes) = self.run(slot_counts).await?;
        let blocks = self.geometry().allocatable();
        let blocks_free = blocks.saturating_sub(used.max(0).unsigned_abs());
        Ok(Statfs { blocks, blocks_free, inodes: inodes.max(0).unsigned_abs() })
    }

    /// The device, opened on the home core.
    pub fn disk(&self) -> &Disk {
        &self.shared.disk
    }

    /// The device itself, for other cores.
    pub fn device(&self) -> &Arc<dyn BlockDevice> {
        &self.shared.device
    }

    /// The home core.
    pub fn core(&self) -> &Rc<Core> {
        &self.shared.core
    }

    /// What the volume says of itself.
    pub fn superblock(&self) -> Superblock {
        self.shared.superblock.borrow().clone()
    }

    /// Where things lie.
    pub fn geometry(&self) -> Geometry {
        *self.shared.store.borrow().geometry()
    }

    /// The slot that this mount has.
    pub fn slot(&self) -> u16 {
        self.shared.slot
    }

    /// The root directory.
    pub fn root(&self) -> InodeRef {
        let superblock = self.shared.superblock.borrow();
        InodeRef { ino: superblock.root_ino, generation: superblock.root_generation }
    }

    /// An inode is in use: it stays when its last name goes, until [`Volume::close_inode`].
    pub fn open_inode(&self, ino: u64) {
        self.shared.store.borrow_mut().open_inode(ino);
    }

    /// Ends one use of an inode; after the last one, an inode without names is freed in the
    /// background.
    pub fn close_inode(&self, ino: u64) {
        if self.shared.store.borrow_mut().close_inode(ino) {
            self.finish_orphans();
        }
    }

    /// Operations left orphans: they are finished in the background.
    pub fn finish_orphans(&self) {
        self.shared.orphan_signal.raise();
    }

    /// Nanoseconds since 1970, as operations stamp them.
    pub fn now(&self) -> Time {
        self.shared.now()
    }

    /// Whether the volume takes changes, and why not.
    pub fn status(&self) -> Status {
        self.shared.status.borrow().clone()
    }

    /// True where operations met damage: the volume wants `byway fsck`.
    pub fn needs_fsck(&self) -> bool {
        self.shared.needs_fsck.get()
    }

    /// Lets the volume take no changes any more: what it knows may not be true.
    pub fn withdraw(&self, reason: FsError) {
        self.shared.withdraw(reason);
    }

    /// What it has done.
    pub fn counts(&self) -> VolumeCounts {
        self.shared.counts.get()
    }

    /// What its cache of metadata has done.
    pub fn cache_counts(&self) -> CacheCounts {
        self.shared.store.borrow().cache_counts()
    }

    /// What its table of glocks has seen.
    pub fn lock_counts(&self) -> LockCounts {
        self.shared.store.borrow().lock_counts()
    }
}

/// Blocks and inodes in use: the sum over the slots.
fn slot_counts(op: &mut Op<'_>) -> Result<(i64, i64), Stop> {
    let (mut blocks, mut inodes) = (0_i64, 0_i64);
    for slot in 0..SLOTS {
        let want = Want::new(Kind::Slot, u64::from(slot));
        let block = op.read(op.geometry().slot_block(slot), want)?;
        let core = SlotCore::of(&block);
        blocks = blocks.saturating_add(core.blocks_used.get());
        inodes = inodes.saturating_add(core.inodes.get());
    }
    Ok((blocks, inodes))
}

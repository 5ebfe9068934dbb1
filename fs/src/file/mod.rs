//! Files as block devices: data goes from a channel on any core straight to the device.
//!
//! A [`File`] is a device like any other. Each channel knows extents of the file and has a channel of
//! the volume's device below it; overwriting what is there is one request of the device and nothing
//! else. Everything else (space, holes, flushes of new data, sharing) is asked of the file's home, a
//! task on the volume's core. `docs/decisions/fs-files.md` says how the two keep faith.

mod cached;
mod channel;
mod errand;
mod files;
mod fresh;
mod ground;
mod intake;
mod map;
mod message;
mod policy;
mod pool;
mod shared;
mod spread;
mod steward;
#[cfg(test)]
mod tests;
mod work;

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{TrySendError, sync_channel};

use byway_engine::block::{BlockDevice, Channel, DeviceInfo};
use byway_engine::core::{Core, yield_now};
use byway_engine::error::SetupError;

use crate::inode::InodeRef;
use crate::store::FsError;
use channel::FileChannel;
use errand::{Errand, Reply, Ticket};
use message::{TO_CHANNEL_MAX, ToHome};
use shared::Shared;

pub use files::{CACHE_LEN, FileOptions, Files, FilesOptions};
pub use map::MAPPED_MAX;
pub use policy::Policy;

/// An open file. Clones name the same one; the last of them and of its channels closes it.
#[derive(Clone)]
pub struct File {
    shared: Arc<Shared>,
    read_only: bool,
}

impl File {
    /// Which inode it is.
    pub fn inode(&self) -> InodeRef {
        self.shared.at
    }

    /// The size in bytes. As a block device the file is whole sectors long: what is behind the last
    /// whole one is reached by [`File::read_at`] and [`File::write_at`] only.
    pub fn size(&self) -> u64 {
        self.shared.facts.size()
    }

    /// Sets the size. What is cut off is gone, what is gained reads as zeroes; channels report it as
    /// an event.
    pub async fn truncate(&self, size: u64) -> Result<(), FsError> {
        self.change(Errand::Truncate(size)).await
    }

    /// Gives bytes space, which reads as zeroes until it is written. The size stays as it is.
    pub async fn allocate(&self, bytes: Range<u64>) -> Result<(), FsError> {
        self.change(Errand::Allocate(bytes)).await
    }

    /// Makes bytes read as zeroes, and gives whole blocks up.
    pub async fn punch(&self, bytes: Range<u64>) -> Result<(), FsError> {
        self.change(Errand::Zero { bytes, unmap: true }).await
    }

    /// Makes bytes read as zeroes; all of them have space then.
    pub async fn zero_range(&self, bytes: Range<u64>) -> Result<(), FsError> {
        self.change(Errand::Zero { bytes, unmap: false }).await
    }

    /// Whether what is read of this file stays in the memory of the cores that read it. The file
    /// keeps the policy; open channels follow it from here on.
    pub async fn set_cache_policy(&self, policy: Policy) -> Result<(), FsError> {
        self.change(Errand::SetPolicy(policy)).await
    }

    /// Makes everything that was written before durable.
    pub async fn flush(&self) -> Result<(), FsError> {
        self.errand(Errand::Flush).await.map(drop)
    }

    /// The first byte of data at or after `from`; none where the rest of the file is a hole.
    pub async fn seek_data(&self, from: u64) -> Result<Option<u64>, FsError> {
        self.errand(Errand::SeekData(from)).await.map(place_of)
    }

    /// The first byte of a hole at or after `from`; the end of the file is one. None beyond it.
    pub async fn seek_hole(&self, from: u64) -> Result<Option<u64>, FsError> {
        self.errand(Errand::SeekHole(from)).await.map(place_of)
    }

    /// Up to `len` bytes from `offset` on; fewer where the file ends.
    pub async fn read_at(&self, offset: u64, len: u32) -> Result<Vec<u8>, FsError> {
        match self.errand(Errand::ReadBytes { offset, len }).await? {
            Reply::Bytes(bytes) => Ok(bytes),
            _ => Ok(Vec::new()),
        }
    }

    /// Writes bytes at a place; the file grows as needed.
    pub async fn write_at(&self, offset: u64, bytes: Vec<u8>) -> Result<(), FsError> {
        self.change(Errand::WriteBytes { offset: Some(offset), bytes }).await
    }

    /// Writes bytes behind the last one; tells where.
    pub async fn append(&self, bytes: Vec<u8>) -> Result<u64, FsError> {
        self.demand_writable()?;
        let place = self.errand(Errand::WriteBytes { offset: None, bytes }).await.map(place_of)?;
        Ok(place.unwrap_or(0))
    }

    /// Lets `to`, an orphan without data (see [`crate::names::create_orphan`]), share everything
    /// that this file holds; both copy what they write from then on. The caller gives it a name.
    pub async fn clone_to(&self, to: InodeRef) -> Result<(), FsError> {
        self.errand(Errand::CloneTo(to)).await.map(drop)
    }

    async fn change(&self, errand: Errand) -> Result<(), FsError> {
        self.demand_writable()?;
        self.errand(errand).await.map(drop)
    }

    fn demand_writable(&self) -> Result<(), FsError> {
        if self.read_only { Err(FsError::ReadOnly) } else { Ok(()) }
    }

    async fn errand(&self, errand: Errand) -> Result<Reply, FsError> {
        let ticket = Arc::new(Ticket::default());
        let mut message = ToHome::Do(errand, Arc::clone(&ticket));
        while let Err(refused) = self.shared.to_home().try_send(message) {
            match refused {
                TrySendError::Full(back) => message = back,
                TrySendError::Disconnected(_) => return Err(FsError::Stale),
            }
            yield_now().await;
        }
        self.shared.wake_home();
        ticket.wait().await
    }
}

fn place_of(reply: Reply) -> Option<u64> {
    match reply {
        Reply::Place(place) => place,
        _ => None,
    }
}

impl BlockDevice for File {
    fn info(&self) -> DeviceInfo {
        DeviceInfo { read_only: self.read_only, ..self.shared.info() }
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        let below = self.shared.device.open_channel(core)?;
        let (to, inbox) = sync_channel(self.shared.depth() as usize + TO_CHANNEL_MAX);
        let id = self.shared.new_channel();
        let shared = Arc::clone(&self.shared);
        let channel = FileChannel::open(core, shared, id, self.read_only, below, inbox);
        channel.tell(ToHome::Open { channel: id, to, core: core.handle() });
        Ok(Box::new(channel))
    }

    fn memory_len(&self) -> usize {
        self.shared.device.memory_len()
    }
}

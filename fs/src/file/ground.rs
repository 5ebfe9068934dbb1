//! What a file's home stands on: operations on the metadata, commits, and the device's bytes.

use std::cell::Cell;
use std::rc::Rc;

use byway_engine::api::Disk;
use byway_engine::memory::Lease;

use crate::format::MODE_REGULAR;
use crate::inode::{self, Finish, InodeRef, NewInode};
use crate::store::{FsError, Op, Stop};
use crate::volume::Volume;

/// Bytes of one request of the home.
const CHUNK_LEN: u64 = 256 << 10;

/// The volume, as the home of a file sees it.
#[derive(Clone)]
pub(super) struct Ground {
    volume: Volume,
    /// An inode without a name, which owns blocks that are being filled for files.
    reserve: Rc<Cell<Option<InodeRef>>>,
}

impl Ground {
    pub(super) fn new(volume: Volume) -> Ground {
        Ground { volume, reserve: Rc::default() }
    }

    pub(super) fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Runs an operation on the metadata.
    pub(super) async fn run<T>(
        &self,
        operation: impl FnMut(&mut Op<'_>) -> Result<T, Stop>,
    ) -> Result<T, FsError> {
        self.volume.run(operation).await
    }

    /// Makes every operation that ran before durable.
    pub(super) async fn commit(&self) -> Result<(), FsError> {
        self.volume.commit().await
    }

    /// Makes every write of data durable that completed before.
    pub(super) async fn flush_device(&self) -> Result<(), FsError> {
        self.volume.flush().await
    }

    /// The volume's reserve: it is made when it is first needed. An orphan, so that a crash frees
    /// what it owns.
    pub(super) async fn reserve(&self) -> Result<InodeRef, FsError> {
        if let Some(reserve) = self.reserve.get() {
            return Ok(reserve);
        }
        let new = NewInode { mode: MODE_REGULAR, uid: 0, gid: 0, rdev: 0, parent: 0, nlink: 0 };
        let make = |op: &mut Op<'_>| {
            let at = inode::create(op, new)?;
            inode::orphan_add(op, at)?;
            Ok(at)
        };
        let made = self.run(make).await?;
        // Another file may have made one meanwhile; a second one is as good, and ends like this one.
        self.volume.open_inode(made.ino);
        match self.reserve.get() {
            None => self.reserve.set(Some(made)),
            Some(_) => self.finish(made).await?,
        }
        Ok(self.reserve.get().unwrap_or(made))
    }

    /// Ends the reserve; it is made again when it is needed.
    pub(super) async fn release_reserve(&self) -> Result<(), FsError> {
        match self.reserve.take() {
            Some(reserve) => self.finish(reserve).await,
            None => Ok(()),
        }
    }

    async fn finish(&self, orphan: InodeRef) -> Result<(), FsError> {
        self.volume.close_inode(orphan.ino);
        let step = |op: &mut Op<'_>| {
            let slot = op.slot();
            inode::finish_step(op, slot, orphan)
        };
        while self.run(step).await? == Finish::More {}
        Ok(())
    }

    fn disk(&self) -> &Disk {
        self.volume.disk()
    }

    /// Reads bytes of the device, of whole sectors.
    pub(super) async fn read(&self, offset: u64, to: &mut [u8]) -> Result<(), FsError> {
        for (n, chunk) in to.chunks_mut(CHUNK_LEN as usize).enumerate() {
            let lease = self.lease(chunk.len())?;
            let (result, lease) = self.disk().read(offset + n as u64 * CHUNK_LEN, lease).await;
            result.map_err(FsError::Io)?;
            chunk.copy_from_slice(&lease);
        }
        Ok(())
    }

    /// Writes bytes of the device, of whole sectors.
    pub(super) async fn write(&self, offset: u64, from: &[u8]) -> Result<(), FsError> {
        for (n, chunk) in from.chunks(CHUNK_LEN as usize).enumerate() {
            let mut lease = self.lease(chunk.len())?;
            lease.copy_from_slice(chunk);
            let (result, _) = self.disk().write(offset + n as u64 * CHUNK_LEN, lease).await;
            result.map_err(FsError::Io)?;
        }
        Ok(())
    }

    /// Makes bytes of the device zero.
    pub(super) async fn write_zeroes(&self, offset: u64, len: u64) -> Result<(), FsError> {
        if self.disk().info().can.write_zeroes {
            return self.disk().write_zeroes(offset, len, false).await.map_err(FsError::Io);
        }
        let zeroes = vec![0; len.min(CHUNK_LEN) as usize];
        for at in (0..len).step_by(CHUNK_LEN as usize) {
            let now = (len - at).min(CHUNK_LEN) as usize;
            self.write(offset + at, &zeroes[..now]).await?;
        }
        Ok(())
    }

    fn lease(&self, len: usize) -> Result<Lease, FsError> {
        self.disk().core().lease(len as u32).ok_or(FsError::Busy)
    }
}

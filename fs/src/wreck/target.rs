//! A volume that was looked at, and how blocks of it are changed.

use std::rc::Rc;

use byway_engine::api::Disk;

use super::WreckError;
use crate::format::{BLOCK_LEN, InodeCore, Kind, header, seal};
use crate::fsck::Check;
use crate::store::Block;

/// The volume.
pub(super) struct Target {
    pub(super) check: Check,
    pub(super) disk: Disk,
}

impl Target {
    /// A block as it is.
    pub(super) async fn read(&self, bno: u64) -> Result<Rc<Block>, WreckError> {
        let read = self.check.reader.raw(bno).await?;
        read.ok_or(WreckError::Nothing("a device that can be read"))
    }

    /// Writes a block as it is.
    pub(super) async fn write(&self, bno: u64, block: &Block) -> Result<(), WreckError> {
        let mut lease = self
            .disk
            .core()
            .lease(BLOCK_LEN as u32)
            .ok_or(WreckError::Nothing("more memory in the core's arena"))?;
        lease.copy_from_slice(block.bytes());
        let (written, _) = self.disk.write(bno * BLOCK_LEN as u64, lease).await;
        written?;
        Ok(self.disk.flush().await?)
    }

    /// Flips a byte that the checksum covers.
    pub(super) async fn flip(&self, bno: u64) -> Result<(), WreckError> {
        let mut block = Block::clone(&*self.read(bno).await?);
        block.bytes_mut()[2000] ^= 0x55;
        self.write(bno, &block).await
    }

    /// Changes a block so that its checksum is right.
    pub(super) async fn alter(
        &self,
        bno: u64,
        change: impl FnOnce(&mut Block),
    ) -> Result<(), WreckError> {
        let mut block = Block::clone(&*self.read(bno).await?);
        change(&mut block);
        seal(block.bytes_mut());
        self.write(bno, &block).await
    }

    /// The first block of metadata in use that is of a kind and as it is wanted.
    pub(super) async fn find(
        &self,
        kind: Kind,
        mut is_wanted: impl FnMut(u64, &Block) -> bool,
    ) -> Result<Option<(u64, Rc<Block>)>, WreckError> {
        for bno in self.check.metadata.blocks() {
            let block = self.read(bno).await?;
            if header(block.bytes()).kind.get() == kind.code() && is_wanted(bno, &block) {
                return Ok(Some((bno, block)));
            }
        }
        Ok(None)
    }

    /// The first dinode in use, but for the root, that is as it is wanted.
    pub(super) async fn inode(
        &self,
        needs: &'static str,
        mut is_wanted: impl FnMut(&InodeCore) -> bool,
    ) -> Result<(u64, Rc<Block>), WreckError> {
        let root = self.check.superblock.root_ino;
        let found =
            self.find(Kind::Inode, |bno, block| bno != root && is_wanted(InodeCore::of(block)));
        found.await?.ok_or(WreckError::Nothing(needs))
    }

    /// The header of the first group that is in use.
    pub(super) fn group(&self) -> (u32, u64) {
        let group = self.check.groups.keys().next().copied().unwrap_or(0);
        (group, self.check.geometry().group_header(group))
    }
}

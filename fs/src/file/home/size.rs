//! The size of a file, and space for it.

use std::ops::Range;

use super::{BLOCK, Home, blocks_of};
use crate::extents::FILE_BLOCKS_MAX;
use crate::format::{FLAG_TRUNCATING, Timestamp};
use crate::inode::{self, Finish};
use crate::store::{FsError, Op};

/// The largest file in bytes.
pub(super) const FILE_LEN_MAX: u64 = 1 << 62;

impl Home {
    /// Sets the size. What is cut off is gone; what is gained reads as zeroes.
    pub(super) async fn truncate(&mut self, size: u64) -> Result<(), FsError> {
        if size > FILE_LEN_MAX {
            return Err(FsError::Range);
        }
        self.facts.change();
        let at = self.at;
        let before = self.facts.size();
        if size < before {
            // From here on nobody begins anything beyond it.
            self.facts.set_size(size);
            self.drain_all(size / BLOCK..u64::MAX).await;
        }
        if self.is_in_dinode().await? {
            let is_done = self.ground.run(|op| inode::inline_truncate(op, at, size)).await?;
            if is_done {
                self.facts.set_size(size);
                return Ok(());
            }
            self.leave_dinode().await?;
        }
        if size < before {
            self.cut(size).await?;
        } else {
            self.set_size(size).await?;
        }
        self.facts.set_size(size);
        Ok(())
    }

    /// Removes what lies beyond a size. The first operation notes the intent, so that a crash between
    /// two steps leaves the rest to whoever replays the journal.
    async fn cut(&mut self, size: u64) -> Result<(), FsError> {
        let at = self.at;
        if !size.is_multiple_of(BLOCK) {
            self.zero_part(size..size.next_multiple_of(BLOCK)).await?;
        }
        let begin = |op: &mut Op<'_>| {
            inode::orphan_add(op, at)?;
            let now = Timestamp::new(op.now());
            let core = inode::edit(op, at.ino)?;
            core.size = size.into();
            core.flags = (core.flags.get() | FLAG_TRUNCATING).into();
            (core.mtime, core.ctime) = (now, now);
            Ok(())
        };
        self.ground.run(begin).await?;
        self.fresh.remove(size.div_ceil(BLOCK)..u64::MAX);
        loop {
            let step = |op: &mut Op<'_>| {
                let slot = op.slot();
                inode::finish_step(op, slot, at)
            };
            match self.ground.run(step).await? {
                Finish::More => {}
                Finish::Done => return Ok(()),
                Finish::Open => return self.cut_orphan(size).await,
            }
        }
    }

    /// The same for a file without a name: it stays on the list of orphans, whole or not.
    async fn cut_orphan(&mut self, size: u64) -> Result<(), FsError> {
        let ino = self.at.ino;
        self.remove_blocks(size.div_ceil(BLOCK)..FILE_BLOCKS_MAX).await?;
        let clear = |op: &mut Op<'_>| {
            let core = inode::edit(op, ino)?;
            core.flags = (core.flags.get() & !FLAG_TRUNCATING).into();
            Ok(())
        };
        self.ground.run(clear).await
    }

    pub(super) async fn set_size(&mut self, size: u64) -> Result<(), FsError> {
        let ino = self.at.ino;
        let set = |op: &mut Op<'_>| {
            let now = Timestamp::new(op.now());
            let core = inode::edit(op, ino)?;
            core.size = size.into();
            (core.mtime, core.ctime) = (now, now);
            Ok(())
        };
        self.ground.run(set).await
    }

    /// Gives blocks space, which reads as zeroes until it is written. The size stays.
    pub(super) async fn allocate(&mut self, bytes: Range<u64>) -> Result<(), FsError> {
        if bytes.end > FILE_LEN_MAX {
            return Err(FsError::Range);
        }
        self.leave_dinode().await?;
        self.facts.change();
        self.allocate_blocks(blocks_of(&bytes)).await
    }
}

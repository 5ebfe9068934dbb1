//! The policy of caching, and changes by the home that make copies stale.
//!
//! Whoever changes what a file's blocks read as hides copies before, and until it is over. Sharing,
//! copies on write and clones change where blocks lie and not what they read as.

use std::ops::Range;

use super::super::policy::Policy;
use super::{BLOCK, Home, blocks_of};
use crate::format::FLAG_CACHE_READ;
use crate::inode;
use crate::store::{FsError, Op};

impl Home {
    /// The policy holds from here on, and after a crash if the journal was committed. Both ways every
    /// channel drains between the stages, so that no writer misses that it must tell.
    pub(super) async fn set_policy(&mut self, policy: Policy) -> Result<(), FsError> {
        self.facts.change();
        let ino = self.at.ino;
        let set = |op: &mut Op<'_>| {
            let core = inode::edit(op, ino)?;
            let others = core.flags.get() & !FLAG_CACHE_READ;
            core.flags = match policy {
                Policy::None => others.into(),
                Policy::Read => (others | FLAG_CACHE_READ).into(),
            };
            Ok(())
        };
        self.ground.run(set).await?;
        self.facts.stamps.prepare();
        self.drain_all(0..u64::MAX).await;
        self.facts.stamps.set(policy);
        Ok(())
    }

    /// Copies of these blocks are unused until they are told to be over.
    pub(super) fn hide_copies(&self, blocks: Range<u64>) -> Range<u64> {
        self.facts.stamps.begin(&blocks);
        blocks
    }

    pub(super) async fn zero_and_tell(
        &mut self,
        bytes: Range<u64>,
        unmap: bool,
    ) -> Result<(), FsError> {
        let held = self.hide_copies(blocks_of(&bytes));
        let done = self.zero(bytes, unmap).await;
        self.facts.stamps.end(&held);
        done
    }

    pub(super) async fn truncate_and_tell(&mut self, size: u64) -> Result<(), FsError> {
        let first = size.min(self.facts.size()) / BLOCK;
        let held = self.hide_copies(first..u64::MAX);
        let done = self.truncate(size).await;
        self.facts.stamps.end(&held);
        done
    }

    /// A file that grows changes its last block, too: bytes behind its last whole sector appear.
    pub(super) async fn write_and_tell(
        &mut self,
        offset: Option<u64>,
        bytes: Vec<u8>,
    ) -> Result<u64, FsError> {
        let size = self.facts.size();
        let first = offset.unwrap_or(size).min(size) / BLOCK;
        let end = offset.unwrap_or(size).saturating_add(bytes.len() as u64);
        let held = self.hide_copies(first..end.div_ceil(BLOCK));
        let done = self.write_bytes(offset, bytes).await;
        self.facts.stamps.end(&held);
        done
    }
}

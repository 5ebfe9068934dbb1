//! Bytes that become zeroes: holes where whole blocks are given up, written zeroes elsewhere.

use std::ops::Range;

use super::super::map::Target;
use super::{BLOCK, Home, blocks_of};
use crate::store::FsError;

/// Blocks of one request for zeroes to the device: 64 MiB.
const ZEROES_MAX: u64 = 16 << 10;

impl Home {
    /// Makes bytes zero. With `unmap` whole blocks are given up; without, all of them have space.
    pub(super) async fn zero(&mut self, bytes: Range<u64>, unmap: bool) -> Result<(), FsError> {
        if bytes.end > self.facts.size() {
            return Err(FsError::Range);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.leave_dinode().await?;
        self.facts.change();
        self.drain_all(blocks_of(&bytes)).await;
        let whole = whole_blocks(&bytes, self.facts.size());
        if whole.is_empty() {
            return self.zero_part(bytes).await;
        }
        self.zero_part(bytes.start..whole.start * BLOCK).await?;
        self.zero_part(whole.end * BLOCK..bytes.end).await?;
        if unmap {
            return self.remove_blocks(whole).await;
        }
        self.write_zeroes(whole.clone()).await?;
        self.allocate_blocks(whole).await
    }

    /// Gives whole blocks up; what is no whole block stays as it is.
    pub(super) async fn discard(&mut self, bytes: Range<u64>) -> Result<(), FsError> {
        if bytes.end > self.facts.size() {
            return Err(FsError::Range);
        }
        self.leave_dinode().await?;
        let whole = whole_blocks(&bytes, self.facts.size());
        if whole.is_empty() {
            return Ok(());
        }
        self.facts.change();
        self.drain_all(whole.clone()).await;
        self.remove_blocks(whole).await
    }

    /// Writes zeroes over what is data among blocks.
    async fn write_zeroes(&mut self, blocks: Range<u64>) -> Result<(), FsError> {
        self.unshare(blocks.clone()).await?;
        let mut at = blocks.start;
        while at < blocks.end {
            let found = self.look_at(at).await?;
            let (end, target) = self.target_at(&found, at);
            let end = end.min(blocks.end).min(at + ZEROES_MAX);
            if let Target::Disk { bno, .. } = target {
                self.ground.write_zeroes(bno * BLOCK, (end - at) * BLOCK).await?;
            }
            at = end;
        }
        Ok(())
    }

    /// Makes a part of blocks zero, each of which is touched in part or not at all; no channel has
    /// anything in flight there. A block without data is zero already.
    pub(super) async fn zero_part(&mut self, bytes: Range<u64>) -> Result<(), FsError> {
        let mut at = bytes.start;
        while at < bytes.end {
            let end = bytes.end.min((at / BLOCK + 1) * BLOCK);
            let found = self.look_at(at / BLOCK).await?;
            if self.target_at(&found, at / BLOCK).1 != Target::Zeroes {
                let zeroes = vec![0; (end - at) as usize];
                self.patch(at, &zeroes).await?;
            }
            at = end;
        }
        Ok(())
    }

    /// Writes bytes into one block that has data; no channel has anything in flight there.
    pub(super) async fn patch(&mut self, at: u64, bytes: &[u8]) -> Result<(), FsError> {
        let (block, within) = (at / BLOCK, (at % BLOCK) as usize);
        self.unshare(block..block + 1).await?;
        let found = self.look_at(block).await?;
        let place = found.bno(block).expect("a block that has data has a place") * BLOCK;
        if bytes.len() == BLOCK as usize {
            return self.ground.write(place, bytes).await;
        }
        let mut whole = vec![0; BLOCK as usize];
        self.ground.read(place, &mut whole).await?;
        whole[within..within + bytes.len()].copy_from_slice(bytes);
        self.ground.write(place, &whole).await
    }
}

/// The blocks that bytes cover whole. What ends with the file covers its last block.
fn whole_blocks(bytes: &Range<u64>, size: u64) -> Range<u64> {
    let end = if bytes.end == size { bytes.end.div_ceil(BLOCK) } else { bytes.end / BLOCK };
    let start = bytes.start.div_ceil(BLOCK);
    start..end.max(start)
}

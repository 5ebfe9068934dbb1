//! Bytes for those who do not think in sectors: small files in their dinode, odd ends of others.

use std::ops::Range;

use super::super::map::Target;
use super::size::FILE_LEN_MAX;
use super::{BLOCK, Home, blocks_of};
use crate::inode;
use crate::store::FsError;

impl Home {
    /// Bytes from `offset` on; fewer where the file ends.
    pub(super) async fn read_bytes(&mut self, offset: u64, len: u32) -> Result<Vec<u8>, FsError> {
        let end = offset.saturating_add(u64::from(len)).min(self.facts.size());
        if offset >= end {
            return Ok(Vec::new());
        }
        if let Some(bytes) = self.inline_part(offset..end).await? {
            return Ok(bytes);
        }
        let blocks = blocks_of(&(offset..end));
        let mut bytes = vec![0; ((blocks.end - blocks.start) * BLOCK) as usize];
        let mut at = blocks.start;
        while at < blocks.end {
            let found = self.look_at(at).await?;
            let (next, target) = self.target_at(&found, at);
            let next = next.min(blocks.end);
            if let Target::Disk { bno, .. } = target {
                let part = (at - blocks.start) * BLOCK..(next - blocks.start) * BLOCK;
                let to = &mut bytes[part.start as usize..part.end as usize];
                self.ground.read(bno * BLOCK, to).await?;
            }
            at = next;
        }
        bytes.truncate((end - blocks.start * BLOCK) as usize);
        bytes.drain(..(offset - blocks.start * BLOCK) as usize);
        Ok(bytes)
    }

    async fn inline_part(&self, bytes: Range<u64>) -> Result<Option<Vec<u8>>, FsError> {
        let at = self.at;
        let part = |op: &mut crate::store::Op<'_>| {
            let inode = inode::read(op, at)?;
            let inline = inode::inline_bytes(&inode);
            Ok(inline.map(|all| all[bytes.start as usize..bytes.end as usize].to_vec()))
        };
        self.ground.run(part).await
    }

    /// Writes bytes at a place, or behind the last one; tells where. The file grows as needed.
    pub(super) async fn write_bytes(
        &mut self,
        offset: Option<u64>,
        bytes: Vec<u8>,
    ) -> Result<u64, FsError> {
        let size = self.facts.size();
        let at = offset.unwrap_or(size);
        let end = at.checked_add(bytes.len() as u64).filter(|end| *end <= FILE_LEN_MAX);
        let end = end.ok_or(FsError::Range)?;
        if bytes.is_empty() {
            return Ok(at);
        }
        self.facts.change();
        if self.is_in_dinode().await? {
            let inode = self.at;
            if self.ground.run(|op| inode::inline_put(op, inode, at, &bytes)).await? {
                self.facts.set_size(size.max(end));
                return Ok(at);
            }
            self.leave_dinode().await?;
        }
        self.drain_all(blocks_of(&(at..end))).await;
        self.prepare(&(at..end)).await?;
        self.write_places(at, &bytes).await?;
        if end > size {
            self.set_size(end).await?;
            self.facts.set_size(end);
        }
        self.facts.change();
        Ok(at)
    }

    /// Writes bytes into blocks that have a place of their own.
    async fn write_places(&mut self, start: u64, bytes: &[u8]) -> Result<(), FsError> {
        let end = start + bytes.len() as u64;
        let mut at = start;
        while at < end {
            let block = at / BLOCK;
            let found = self.look_at(block).await?;
            let is_part = !at.is_multiple_of(BLOCK) || end - at < BLOCK;
            let next = match is_part {
                true => end.min((block + 1) * BLOCK),
                false => (end / BLOCK).min(found.end()) * BLOCK,
            };
            let part = &bytes[(at - start) as usize..(next - start) as usize];
            if is_part {
                self.patch(at, part).await?;
            } else {
                let place = found.bno(block).expect("prepared blocks have a place");
                self.ground.write(place * BLOCK, part).await?;
                self.note_fresh(block..next / BLOCK).await?;
            }
            at = next;
        }
        Ok(())
    }

    /// Blocks were written: those that the tree has as unwritten are fresh.
    async fn note_fresh(&mut self, blocks: Range<u64>) -> Result<(), FsError> {
        let mut at = blocks.start;
        while at < blocks.end {
            let found = self.look_at(at).await?;
            let end = found.end().min(blocks.end);
            if !found.is_written() {
                self.fresh.add(at..end);
            }
            at = end;
        }
        Ok(())
    }
}

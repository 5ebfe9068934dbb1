//! Which bytes of a file are data.

use std::ops::Range;

use byway_engine::block::{Extent, ExtentKind};

use super::super::map::Target;
use super::{BLOCK, Home};
use crate::store::FsError;

/// The most extents of one answer.
const STATUS_EXTENTS_MAX: usize = 1024;

impl Home {
    /// The extents from the start of `bytes` on; they may end before it does.
    pub(super) async fn status(&mut self, bytes: Range<u64>) -> Result<Vec<Extent>, FsError> {
        if bytes.end > self.facts.size() {
            return Err(FsError::Range);
        }
        self.leave_dinode().await?;
        let mut extents: Vec<Extent> = Vec::new();
        let mut at = bytes.start;
        while at < bytes.end && extents.len() < STATUS_EXTENTS_MAX {
            let (end, kind) = self.kind_at(at / BLOCK).await?;
            let end = end.saturating_mul(BLOCK).min(bytes.end);
            match extents.last_mut().filter(|last| last.kind == kind) {
                Some(last) => last.len += end - at,
                None => extents.push(Extent { offset: at, len: end - at, kind }),
            }
            at = end;
        }
        Ok(extents)
    }

    /// What a block is, and up to where that holds at least.
    async fn kind_at(&self, block: u64) -> Result<(u64, ExtentKind), FsError> {
        let found = self.look_at(block).await?;
        let (end, target) = self.target_at(&found, block);
        let kind = match target {
            Target::Zeroes if found.place.is_none() => ExtentKind::Hole,
            Target::Zeroes => ExtentKind::Zero,
            Target::Disk { .. } | Target::Granted { .. } => ExtentKind::Data,
        };
        Ok((end.min(found.end()), kind))
    }

    /// The first byte of data at or after a place.
    pub(super) async fn seek_data(&mut self, from: u64) -> Result<Option<u64>, FsError> {
        self.seek(from, true).await
    }

    /// The first byte at or after a place that was never written; the end of the file is one.
    pub(super) async fn seek_hole(&mut self, from: u64) -> Result<Option<u64>, FsError> {
        let size = self.facts.size();
        let found = self.seek(from, false).await?;
        Ok(found.or((from < size).then_some(size)))
    }

    async fn seek(&mut self, from: u64, for_data: bool) -> Result<Option<u64>, FsError> {
        let size = self.facts.size();
        if self.is_in_dinode().await? {
            return Ok((from < size && for_data).then_some(from));
        }
        let mut at = from;
        while at < size {
            let (end, kind) = self.kind_at(at / BLOCK).await?;
            if (kind == ExtentKind::Data) == for_data {
                return Ok(Some(at));
            }
            at = end.saturating_mul(BLOCK);
        }
        Ok(None)
    }
}

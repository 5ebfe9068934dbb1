//! Where blocks lie, for readers.

use std::ops::Range;

use super::super::map::{Mapped, Target};
use super::super::message::ChannelId;
use super::{Home, blocks_of};
use crate::extents::{self, Mapping, SHARED, UNWRITTEN};
use crate::store::{FsError, Op, Run, Stop};

/// The most extents looked up for one ask, beyond those that were asked for.
const EXTENTS_AHEAD: usize = 16;
/// The most extents of one answer; who needs more asks again.
const EXTENTS_MAX: usize = 256;

/// An extent or a hole, as the tree has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) first: u64,
    pub(super) len: u64,
    /// None: a hole.
    pub(super) place: Option<(Run, u16)>,
}

impl Found {
    pub(super) fn end(&self) -> u64 {
        self.first + self.len
    }

    /// The device block of the file's block `at`, which lies within.
    pub(super) fn bno(&self, at: u64) -> Option<u64> {
        self.place.map(|(run, _)| run.start + (at - self.first))
    }

    pub(super) fn has(&self, flag: u16) -> bool {
        self.place.is_some_and(|(_, flags)| flags & flag != 0)
    }

    /// True for data that is written in the tree.
    pub(super) fn is_written(&self) -> bool {
        self.place.is_some() && !self.has(UNWRITTEN)
    }
}

/// What lies at a block, and around it.
pub(super) fn look(op: &Op<'_>, ino: u64, block: u64) -> Result<Found, Stop> {
    Ok(match extents::lookup(op, ino, block)? {
        Mapping::Hole { len } => Found { first: block, len, place: None },
        Mapping::Extent { run, flags } => {
            let tree = extents::extent_tree(op, ino)?;
            let before = tree.covering(op, block)?.map_or(0, |record| block - record.key);
            let run = Run { start: run.start - before, len: run.len + before };
            Found { first: block - before, len: run.len, place: Some((run, flags)) }
        }
    })
}

impl Home {
    /// What lies at a block, and around it.
    pub(super) async fn look_at(&self, block: u64) -> Result<Found, FsError> {
        let ino = self.at.ino;
        self.ground.run(|op| look(op, ino, block)).await
    }

    /// What lies at blocks, in order.
    async fn look_through(&self, blocks: Range<u64>) -> Result<Vec<Found>, FsError> {
        let ino = self.at.ino;
        let walk = |op: &mut Op<'_>| {
            let (mut found, mut at, mut beyond) = (Vec::new(), blocks.start, 0);
            while found.len() < EXTENTS_MAX && beyond < EXTENTS_AHEAD {
                let one = look(op, ino, at)?;
                at = one.end();
                beyond += usize::from(at > blocks.end);
                let is_last = one.place.is_none() && at > blocks.end;
                found.push(one);
                if is_last {
                    break;
                }
            }
            Ok(found)
        };
        self.ground.run(walk).await
    }

    /// For a reader: where its bytes lie, and whether that may be remembered.
    pub(super) async fn place_for_read(
        &mut self,
        channel: ChannelId,
        bytes: Range<u64>,
    ) -> (Result<Vec<Mapped>, FsError>, bool) {
        let given = self.read_places(&bytes).await;
        let lasting = !self.granted.touches(&blocks_of(&bytes));
        if let Ok(given) = &given {
            let zeroes = given.iter().any(|entry| entry.target == Target::Zeroes);
            let member = self.members.iter_mut().find(|member| member.id == channel);
            if let Some(member) = member
                && zeroes
                && lasting
            {
                member.knows_zeroes = true;
            }
        }
        (given, lasting)
    }

    async fn read_places(&mut self, bytes: &Range<u64>) -> Result<Vec<Mapped>, FsError> {
        if bytes.end > self.facts.size() {
            return Err(FsError::Range);
        }
        self.leave_dinode().await?;
        let blocks = blocks_of(bytes);
        let end = self.facts.size().div_ceil(super::BLOCK);
        let found = self.look_through(blocks.clone()).await?;
        // Blocks that are granted are zeroes for now: not to be remembered, and so not looked at
        // where they were not asked for.
        let limit = if self.granted.is_empty() { end } else { blocks.end };
        let mut given = Vec::new();
        for one in found {
            let is_zero = one.place.is_none() || one.has(UNWRITTEN);
            let within = if is_zero { blocks.start..limit } else { 0..u64::MAX };
            self.push_places(&one, within, &mut given);
        }
        Ok(given)
    }

    /// The parts of an extent: what is fresh of it is data.
    fn push_places(&self, one: &Found, within: Range<u64>, given: &mut Vec<Mapped>) {
        let end = one.end().min(within.end);
        let mut at = one.first.max(within.start);
        while at < end {
            let (next, target) = self.target_at(one, at);
            let next = next.min(end);
            given.push(Mapped { first: at, len: next - at, target });
            at = next;
        }
    }

    /// What a reader finds at a block of an extent, and up to where that holds.
    pub(super) fn target_at(&self, one: &Found, at: u64) -> (u64, Target) {
        let Some(bno) = one.bno(at) else { return (one.end(), Target::Zeroes) };
        let writable = !one.has(SHARED);
        if !one.has(UNWRITTEN) {
            return (one.end(), Target::Disk { bno, writable, fresh: 0 });
        }
        // A run of fresh blocks may lie in several extents.
        match self.fresh.run_at_or_after(at) {
            Some(run) if run.start <= at => {
                (run.end.min(one.end()), Target::Disk { bno, writable, fresh: 1 })
            }
            Some(run) => (run.start.min(one.end()), Target::Zeroes),
            None => (one.end(), Target::Zeroes),
        }
    }
}

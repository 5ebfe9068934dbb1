//! Space for writers.
//!
//! Whole blocks that never held data are granted as they are. A block that a write covers in part is
//! made zero first, here, one after the other: then every writer of a part writes only its own
//! sectors, and no neighbour is torn.

use std::ops::Range;

use super::super::map::{Mapped, Target};
use super::super::message::ChannelId;
use super::lookup::Found;
use super::{BLOCK, Home, blocks_of};
use crate::extents::{self, SHARED, UNWRITTEN};
use crate::space::{self, Goal};
use crate::store::{FsError, Op, Run, Stop};

/// Blocks of an aligned run of a virtual machine's image: 1 MiB.
const VM_BLOCKS: u64 = 256;
/// The first window of a file that is written in order, and the largest: 64 KiB, 4 MiB.
const WINDOW_MIN: u64 = 16;
const WINDOW_MAX: u64 = 1024;

impl Home {
    /// For a writer: where its bytes go. Granted blocks are its own until it tells that they are
    /// written.
    pub(super) async fn place_for_write(
        &mut self,
        channel: ChannelId,
        bytes: Range<u64>,
    ) -> Result<Vec<Mapped>, FsError> {
        if bytes.end > self.facts.size() {
            return Err(FsError::Range);
        }
        self.leave_dinode().await?;
        let blocks = blocks_of(&bytes);
        self.forget_zeroes(channel, blocks.clone()).await;
        self.prepare(&bytes).await?;
        let mut given = Vec::new();
        let mut at = blocks.start;
        while at < blocks.end {
            let found = self.look_at(at).await?;
            let (end, target) = self.target_at(&found, at);
            let end = end.min(blocks.end);
            let target = match (target, found.bno(at)) {
                (Target::Zeroes, Some(bno)) => {
                    self.granted.add(at..end);
                    Target::Granted { bno }
                }
                (target, _) => target,
            };
            given.push(Mapped { first: at, len: end - at, target });
            at = end;
        }
        Ok(given)
    }

    /// Other channels must not take blocks for zeroes that are about to be written.
    async fn forget_zeroes(&mut self, writer: ChannelId, blocks: Range<u64>) {
        let others = |member: &super::Member| member.knows_zeroes && member.id != writer;
        if self.members.iter().any(others) {
            self.drain(blocks, others).await;
        }
    }

    /// Gives bytes a place of their own: space where there is none, copies of what is shared, zeroes
    /// around what covers a block in part.
    pub(super) async fn prepare(&mut self, bytes: &Range<u64>) -> Result<(), FsError> {
        let blocks = blocks_of(bytes);
        self.facts.change();
        self.allocate_blocks(blocks.clone()).await?;
        self.unshare(blocks.clone()).await?;
        let (head, tail) = (blocks.start, blocks.end - 1);
        if !bytes.start.is_multiple_of(BLOCK) {
            self.prepare_part(head).await?;
        }
        if !bytes.end.is_multiple_of(BLOCK) && (tail != head || bytes.start.is_multiple_of(BLOCK)) {
            self.prepare_part(tail).await?;
        }
        Ok(())
    }

    /// Makes a block that never held data zero on the device: it is fresh then.
    async fn prepare_part(&mut self, block: u64) -> Result<(), FsError> {
        while self.granted.touches(&(block..block + 1)) && !self.is_closed {
            self.wait().await;
        }
        let found = self.look_at(block).await?;
        let is_new = self.target_at(&found, block).1 == Target::Zeroes;
        if let Some(bno) = found.bno(block)
            && is_new
        {
            self.ground.write_zeroes(bno * BLOCK, BLOCK).await?;
            self.fresh.add(block..block + 1);
        }
        Ok(())
    }

    /// Gives every hole among the blocks space, which reads as zeroes.
    pub(super) async fn allocate_blocks(&mut self, blocks: Range<u64>) -> Result<(), FsError> {
        let mut at = blocks.start;
        while at < blocks.end {
            let found = self.look_at(at).await?;
            if found.place.is_some() {
                at = found.end();
                continue;
            }
            let hole = at..found.end();
            at = self.fill_hole(hole, blocks.end).await?;
        }
        Ok(())
    }

    /// Gives the front of a hole space; tells up to where.
    async fn fill_hole(&mut self, hole: Range<u64>, wanted_end: u64) -> Result<u64, FsError> {
        let ino = self.at.ino;
        let file_end = self.facts.size().div_ceil(BLOCK).max(wanted_end);
        let wanted = self.window_for(&hole, wanted_end, file_end);
        let first = hole.start;
        let whole = |op: &mut Op<'_>| fill(op, ino, first, wanted.clone());
        let filled = match self.ground.run(whole).await {
            // Not the window, but perhaps what was asked for.
            Err(FsError::NoSpace) => {
                let least = first..wanted_end.min(hole.end);
                self.ground.run(|op| fill(op, ino, first, least.clone())).await?
            }
            filled => filled?,
        };
        if filled.end > wanted_end {
            self.ahead.push(wanted_end..filled.end);
        }
        self.window.end = wanted_end.min(filled.end);
        Ok(filled.end)
    }

    /// Which blocks of a hole get space now.
    fn window_for(&mut self, hole: &Range<u64>, wanted_end: u64, file_end: u64) -> Range<u64> {
        let asked = wanted_end.min(hole.end);
        if self.window.is_vm {
            let start = hole.start & !(VM_BLOCKS - 1);
            let end = asked.next_multiple_of(VM_BLOCKS);
            return start..end.min(hole.end).min(file_end).max(asked);
        }
        let in_order = hole.start == self.window.end && hole.start > 0;
        self.window.next = match in_order {
            true => (2 * self.window.next).clamp(WINDOW_MIN, WINDOW_MAX),
            false => 0,
        };
        let end = asked + self.window.next;
        hole.start..end.min(hole.end).min(file_end).max(asked)
    }

    /// Gives back what was allocated ahead and never used.
    pub(super) async fn release_ahead(&mut self) {
        if self.window.is_vm {
            return;
        }
        for blocks in std::mem::take(&mut self.ahead) {
            let mut at = blocks.start;
            while at < blocks.end {
                let Ok(found) = self.look_at(at).await else { return };
                let (end, target) = self.target_at(&found, at);
                let end = end.min(blocks.end);
                let is_unused = target == Target::Zeroes && found.place.is_some();
                if is_unused && self.remove_blocks(at..end).await.is_err() {
                    return;
                }
                at = end;
            }
        }
    }

    /// Removes extents, which no channel knows.
    pub(super) async fn remove_blocks(&mut self, blocks: Range<u64>) -> Result<(), FsError> {
        let (ino, mut at) = (self.at.ino, blocks.start);
        while at < blocks.end {
            self.facts.change();
            let len = blocks.end - at;
            match self.ground.run(|op| extents::remove(op, ino, at, len)).await? {
                extents::Step::More { next } => at = next,
                extents::Step::Done => break,
            }
        }
        self.fresh.remove(blocks);
        Ok(())
    }

    /// The first shared extent among blocks.
    pub(super) async fn next_shared(&self, blocks: Range<u64>) -> Result<Option<Found>, FsError> {
        let mut at = blocks.start;
        while at < blocks.end {
            let found = self.look_at(at).await?;
            if found.has(SHARED) {
                return Ok(Some(found));
            }
            at = found.end();
        }
        Ok(None)
    }
}

/// Maps new space at a part of a hole that holds `block`: from the wanted start on, as long as one
/// run goes.
fn fill(op: &mut Op<'_>, ino: u64, block: u64, wanted: Range<u64>) -> Result<Range<u64>, Stop> {
    let start = from_hole_start(op, ino, wanted.start, block)?;
    let near = place_behind(op, ino, start)?;
    let align = if start.is_multiple_of(VM_BLOCKS) { VM_BLOCKS } else { 1 };
    let goal = Goal { near, len_min: block - start + 1, len_max: wanted.end - start, align };
    let run = space::alloc_data(op, goal)?;
    extents::insert(op, ino, start, run, UNWRITTEN)?;
    crate::inode::touch(op, ino)?;
    Ok(start..start + run.len)
}

/// A window begins no earlier than the hole that holds `block`.
fn from_hole_start(op: &Op<'_>, ino: u64, start: u64, block: u64) -> Result<u64, Stop> {
    let before = extents::extent_tree(op, ino)?.last_at_or_before(op, block)?;
    Ok(before.map_or(start, |record| record.end().max(start)).min(block))
}

/// The device block where a block would lie if the file went on as it does before it; 0: none.
fn place_behind(op: &Op<'_>, ino: u64, block: u64) -> Result<u64, Stop> {
    let tree = extents::extent_tree(op, ino)?;
    let before = tree.last_at_or_before(op, block)?;
    let place = before.map(|record| Run { start: record.value + (block - record.key), len: 1 });
    Ok(place.filter(|run| run.start < op.geometry().blocks).map_or(0, |run| run.start))
}

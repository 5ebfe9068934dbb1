//! Data that is put somewhere else: copies of shared blocks, and bytes that leave the dinode.
//!
//! The new blocks belong to the volume's reserve, an inode without a name, while they are filled;
//! after a flush of the device one operation maps them into the file and takes them from the reserve.
//! A crash before it frees them with the reserve; a crash after it finds the data there.

use std::ops::Range;

use super::lookup::Found;
use super::{BLOCK, Home};
use crate::extents::{self, Step, UNWRITTEN};
use crate::format::{FORM_EXTENTS, FORM_INLINE};
use crate::inode;
use crate::space::{self, Goal};
use crate::store::{FsError, Op, Run, Stop};

/// Blocks that are copied together, aligned in the file: 256 KiB.
const COPY_BLOCKS: u64 = 64;

impl Home {
    /// Gives blocks that are shared a copy of their own.
    pub(super) async fn unshare(&mut self, blocks: Range<u64>) -> Result<(), FsError> {
        let mut at = blocks.start;
        while let Some(found) = self.next_shared(at..blocks.end).await? {
            let first = found.first.max(at);
            // The neighbours will be written soon as well.
            let chunk = first & !(COPY_BLOCKS - 1);
            let end = found.end().min(chunk + COPY_BLOCKS);
            at = self.copy(&found, found.first.max(chunk)..end).await?;
        }
        Ok(())
    }

    /// Copies a part of a shared extent; tells up to where.
    async fn copy(&mut self, found: &Found, blocks: Range<u64>) -> Result<u64, FsError> {
        self.drain_all(blocks.clone()).await;
        let run = self.reserve_run(blocks.end - blocks.start).await?;
        let filled = self.fill_copy(found, blocks.start, run).await;
        let mapped = match filled {
            Ok(()) => self.map_copy(blocks.start, run).await,
            Err(error) => Err(error),
        };
        if mapped.is_err() {
            self.unreserve(run).await?;
        }
        mapped.map(|()| blocks.start + run.len)
    }

    async fn fill_copy(&self, found: &Found, first: u64, run: Run) -> Result<(), FsError> {
        let from = found.bno(first).expect("a shared extent has a place");
        let mut bytes = vec![0; (run.len * BLOCK) as usize];
        self.ground.read(from * BLOCK, &mut bytes).await?;
        self.ground.write(run.start * BLOCK, &bytes).await?;
        self.ground.flush_device().await
    }

    /// Puts a filled run of the reserve in the place of what is at `first`.
    async fn map_copy(&mut self, first: u64, run: Run) -> Result<(), FsError> {
        let (ino, reserve) = (self.at.ino, self.ground.reserve().await?.ino);
        self.facts.change();
        let mut done = 0;
        while done < run.len {
            let rest = Run { start: run.start + done, len: run.len - done };
            done += self.ground.run(|op| move_in(op, ino, reserve, first + done, rest)).await?;
        }
        Ok(())
    }

    /// Takes a run of at most `len` blocks into the reserve.
    pub(super) async fn reserve_run(&mut self, len: u64) -> Result<Run, FsError> {
        let reserve = self.ground.reserve().await?.ino;
        let take = |op: &mut Op<'_>| {
            let goal = Goal { near: 0, len_min: 1, len_max: len, align: 1 };
            let run = space::alloc_data(op, goal)?;
            extents::insert(op, reserve, run.start, run, UNWRITTEN)?;
            Ok(run)
        };
        self.ground.run(take).await
    }

    /// Gives a run of the reserve back.
    async fn unreserve(&mut self, run: Run) -> Result<(), FsError> {
        let reserve = self.ground.reserve().await?.ino;
        let mut at = run.start;
        let end = run.start + run.len;
        while let Step::More { next } =
            self.ground.run(|op| extents::remove(op, reserve, at, end - at)).await?
        {
            at = next;
        }
        Ok(())
    }

    /// Makes sure that the file's data lies in extents.
    pub(super) async fn leave_dinode(&mut self) -> Result<(), FsError> {
        let at = self.at;
        let inline = |op: &mut Op<'_>| {
            let read = inode::read(op, at)?;
            Ok(inode::inline_bytes(&read).map(<[u8]>::to_vec))
        };
        let Some(mut bytes) = self.ground.run(inline).await? else { return Ok(()) };
        self.facts.change();
        if bytes.is_empty() {
            return self.ground.run(|op| inode::inline_evict(op, at).map(drop)).await;
        }
        let run = self.reserve_run(1).await?;
        bytes.resize(BLOCK as usize, 0);
        let reserve = self.ground.reserve().await?.ino;
        let filled = match self.ground.write(run.start * BLOCK, &bytes).await {
            Ok(()) => self.ground.flush_device().await,
            error => error,
        };
        let move_out = |op: &mut Op<'_>| {
            inode::inline_evict(op, at)?;
            move_in(op, at.ino, reserve, 0, run).map(drop)
        };
        let moved = match filled {
            Ok(()) => self.ground.run(move_out).await,
            error => error,
        };
        if moved.is_err() {
            self.unreserve(run).await?;
        }
        moved
    }

    /// True where the file's bytes are in its dinode, or it has none at all.
    pub(super) async fn is_in_dinode(&self) -> Result<bool, FsError> {
        let at = self.at;
        let is_small = |op: &mut Op<'_>| {
            let inode = inode::read(op, at)?;
            let core = inode.core();
            Ok(match core.form {
                FORM_INLINE => true,
                FORM_EXTENTS => {
                    core.size.get() == 0 && extents::extent_tree(op, at.ino)?.is_empty(op)?
                }
                _ => return Err(FsError::IsDirectory.into()),
            })
        };
        self.ground.run(is_small).await
    }
}

/// Maps the front of a run of the reserve into a file, in the place of what is there; tells how much.
/// For a moment within the operation both refer to it, so that neither frees it.
fn move_in(op: &mut Op<'_>, ino: u64, reserve: u64, first: u64, run: Run) -> Result<u64, Stop> {
    let shared = space::share_some(op, run)?;
    let run = Run { len: shared, ..run };
    let mapped = extents::replace(op, ino, first, run)?;
    if mapped < shared {
        // The rest keeps one reference only.
        space::free_data(op, Run { start: run.start + mapped, len: shared - mapped })?;
    }
    match extents::remove(op, reserve, run.start, mapped)? {
        Step::Done => Ok(mapped),
        Step::More { .. } => Err(FsError::Busy.into()),
    }
}

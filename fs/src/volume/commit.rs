//! Group commit: whoever wants to be durable says so, and one task writes commit after commit.
//!
//! Invariants: one commit is under way at a time; it is one write with `fua` where it fits the
//! device's longest request and does not cross the end of the ring; while it is under way, callers
//! gather for the next one. A commit that fails withdraws the volume.

use std::rc::Rc;

use byway_engine::error::IoError;
use byway_engine::exec::Class;

use super::blocks::{LEN, write_block};
use super::shared::Shared;
use crate::format::put_checksum;
use crate::journal::{Batch, Encoder};
use crate::store::{Block, FsError, Mutation, Run};

/// Requests of one commit that are under way together.
pub(super) const COMMIT_DEPTH: usize = 2;
/// Blocks of one request: 1 MiB.
pub(super) const COMMIT_IO_BLOCKS: usize = 256;

/// Writes commits as long as the volume is active.
pub(super) async fn committer(shared: Rc<Shared>) {
    while shared.is_active() {
        shared.commit_signal.wait().await;
        while shared.is_active() && shared.wanted.get() > shared.durable.get() {
            if let Err(error) = commit_once(&shared).await {
                shared.withdraw(FsError::Io(error));
            }
        }
    }
}

impl Shared {
    /// Asks for everything that operations have changed by now.
    pub(super) fn want_commit(&self) -> u64 {
        let seq = self.store.borrow().last_seq();
        if seq > self.durable.get() {
            self.wanted.set(self.wanted.get().max(seq));
            self.commit_signal.raise();
        }
        seq
    }

    /// Makes everything durable that operations have changed by now.
    pub(super) async fn commit(&self) -> Result<(), FsError> {
        let seq = self.want_commit();
        self.bell.until(|| self.durable.get() >= seq || !self.is_active()).await;
        if self.durable.get() >= seq { Ok(()) } else { Err(self.reason()) }
    }

    /// Waits until the journal has room for one more operation.
    pub(super) async fn wait_for_room(&self) {
        self.count(|counts| counts.waits_for_room += 1);
        let seen = self.durable.get();
        self.want_commit();
        self.want_room();
        let tail = self.tail();
        let moved = || self.durable.get() != seen || self.tail() != tail || !self.is_active();
        self.bell.until(moved).await;
    }

    fn tail(&self) -> u64 {
        self.ring.borrow().as_ref().map_or(0, |ring| ring.head.tail_pos)
    }
}

async fn commit_once(shared: &Rc<Shared>) -> Result<(), Box<IoError>> {
    let Some((batch, start)) = begin(shared) else {
        shared.durable.set(shared.store.borrow().last_seq());
        shared.bell.ring();
        return Ok(());
    };
    if shared.options.mutation == Mutation::InPlaceEarly {
        place_early(shared, &batch).await?;
    }
    write(shared, &batch, start).await?;
    shared.store.borrow_mut().commit_is_durable();
    shared.durable.set(batch.seq);
    shared.count(|counts| {
        counts.commits += 1;
        counts.commit_blocks += batch.len();
    });
    shared.update_room();
    shared.place_if_filling();
    shared.bell.ring();
    discard(shared);
    Ok(())
}

fn begin(shared: &Shared) -> Option<(Rc<Batch>, u64)> {
    let mut ring = shared.ring.borrow_mut();
    let ring = ring.as_mut().expect("a volume that is active has a journal");
    let (start, room) = (ring.end, ring.room());
    let batch = shared.store.borrow_mut().begin_commit(start)?;
    assert!(batch.len() <= room, "operations wait before the ring is full");
    ring.end += batch.len();
    shared.store.borrow_mut().set_room(ring.room());
    Some((batch, start))
}

/// Breaks the rule that a commit is durable before its images are written in place.
#[cold]
async fn place_early(shared: &Shared, batch: &Batch) -> Result<(), Box<IoError>> {
    for image in &batch.images {
        let mut block = Block::clone(&image.block);
        put_checksum(block.bytes_mut(), image.crc);
        write_block(&shared.disk, image.bno, &block).await?;
    }
    Ok(())
}

async fn write(shared: &Shared, batch: &Batch, start: u64) -> Result<(), Box<IoError>> {
    let place = shared.ring.borrow().as_ref().expect("the journal is there").place;
    let mut pipe = shared.commit_pipe.take().expect("one commit is under way at a time");
    let fua = shared.options.mutation != Mutation::CommitWithoutFua;
    let mut encoder = Encoder::new(place, shared.incarnation, batch, start);
    let pieces = place.pieces(start..start + batch.len(), pipe.blocks() as u64);
    shared.count(|counts| counts.commit_writes += pieces.len() as u64);
    for piece in pieces {
        let mut lease = pipe.lease((piece.end - piece.start) as usize).await;
        encoder.fill(&mut lease);
        pipe.write(place.bno(piece.start), lease, fua);
    }
    let written = pipe.drain().await;
    shared.commit_pipe.replace(Some(pipe));
    written
}

/// Tells the device of data whose free is durable; then it may be used again.
fn discard(shared: &Rc<Shared>) {
    let runs = shared.store.borrow_mut().take_discards();
    if runs.is_empty() {
        return;
    }
    let task = Rc::clone(shared);
    shared.core.spawn(Class::Background, "fs-discard", async move {
        for Run { start, len } in &runs {
            // A device that cannot give space up keeps it: nothing else depends on it.
            if let Err(error) = task.disk.discard(start * LEN, len * LEN).await {
                tracing::debug!("{}: {error}", task.disk.info().name);
            }
        }
        task.store.borrow_mut().discarded(&runs);
        task.bell.ring();
    });
}

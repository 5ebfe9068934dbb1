//! Checkpointing: writing images in place, so that the tail of the journal moves.
//!
//! Invariants: a head with a new tail is written only after a flush that covers the writes in place
//! of everything it passes; one round is under way at a time.

use std::rc::Rc;

use byway_engine::error::IoError;

use super::blocks::{Pipe, write_block};
use super::shared::Shared;
use crate::format::{BLOCK_LEN, put_checksum};
use crate::journal::Head;
use crate::store::{FsError, LockId, Mutation, Place};

/// Writes in place that are under way together.
pub(super) const PLACE_DEPTH: usize = 8;
/// Blocks of one of them: 128 KiB.
pub(super) const PLACE_IO_BLOCKS: usize = 32;
/// Blocks of one round, which ends with a flush.
const ROUND_BLOCKS: usize = 2048;

/// What a round did.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    /// Something is in place, or the tail moved.
    Done,
    /// The oldest commits hold only blocks that the running transaction changes again.
    Hot,
}

/// Writes in place as long as the volume is active.
pub(super) async fn placer(shared: Rc<Shared>) {
    while shared.is_active() {
        shared.place_signal.wait().await;
        while shared.is_active() && shared.is_behind() {
            let placed = match round(&shared).await {
                Ok(Round::Hot) => shared.commit().await,
                Ok(Round::Done) => Ok(()),
                Err(error) => Err(FsError::Io(error)),
            };
            if let Err(error) = placed {
                shared.withdraw(error);
            }
        }
    }
}

impl Shared {
    /// True where the tail is not yet where somebody wants it.
    fn is_behind(&self) -> bool {
        let ring = self.ring.borrow();
        let ring = ring.as_ref().expect("a volume that is active has a journal");
        ring.head.tail_pos < self.goal.get().min(ring.end)
    }

    fn want_tail(&self, pos: u64) {
        if pos > self.goal.get() {
            self.goal.set(pos);
            self.place_signal.raise();
        }
    }

    /// Lets the tail move where half of the ring is used.
    pub(super) fn place_if_filling(&self) {
        let low_water = {
            let ring = self.ring.borrow();
            ring.as_ref().filter(|ring| ring.is_filling()).map(super::ring::Ring::low_water)
        };
        low_water.into_iter().for_each(|pos| self.want_tail(pos));
    }

    /// Lets the tail move until one more operation has room.
    pub(super) fn want_room(&self) {
        let pos = {
            let (ring, store) = (self.ring.borrow(), self.store.borrow());
            let Some(ring) = &*ring else { return };
            let needed = store.running_len() + store.op_room();
            let missing = needed.saturating_sub(ring.room());
            ring.low_water().max((ring.head.tail_pos + missing).min(ring.end))
        };
        self.want_tail(pos);
    }

    /// Makes everything durable, in the journal and in place, and leaves the journal empty.
    pub(super) async fn place_all(&self) -> Result<(), FsError> {
        self.commit().await?;
        let end = self.ring.borrow().as_ref().map_or(0, |ring| ring.end);
        self.want_tail(end);
        let tail = || self.ring.borrow().as_ref().map_or(end, |ring| ring.head.tail_pos);
        self.bell.until(|| tail() >= end || !self.is_active()).await;
        if tail() >= end { Ok(()) } else { Err(self.reason()) }
    }

    /// Makes what lies under a glock durable in place: one commit, the writes, one flush.
    pub(super) async fn place_under(&self, lock: LockId) -> Result<(), FsError> {
        loop {
            self.commit().await?;
            self.begin_placing().await;
            let places = self.store.borrow_mut().begin_round_under(lock);
            let placed = match places {
                Some(places) => self.write_round(&places).await,
                None => Ok(()),
            };
            self.end_placing();
            placed?;
            if self.store.borrow().is_placed_under(lock) {
                return Ok(());
            }
        }
    }

    async fn begin_placing(&self) {
        self.bell.until(|| !self.is_placing.get()).await;
        self.is_placing.set(true);
    }

    fn end_placing(&self) {
        self.is_placing.set(false);
        self.bell.ring();
    }

    /// Writes the images of a round and flushes.
    async fn write_round(&self, places: &[Place]) -> Result<(), Box<IoError>> {
        let mut pipe = self.place_pipe.take().expect("one round is under way at a time");
        let mut written = write_places(&mut pipe, places).await;
        self.place_pipe.replace(Some(pipe));
        if written.is_ok() && self.options.mutation != Mutation::TailBeforeFlush {
            written = self.disk.flush().await;
        }
        match &written {
            Ok(()) => self.store.borrow_mut().end_round(),
            Err(_) => self.store.borrow_mut().abandon_round(),
        }
        self.count(|counts| {
            counts.rounds += 1;
            counts.placed += places.len() as u64;
        });
        written
    }
}

async fn round(shared: &Shared) -> Result<Round, Box<IoError>> {
    shared.begin_placing().await;
    let outcome = round_alone(shared).await;
    shared.end_placing();
    outcome
}

async fn round_alone(shared: &Shared) -> Result<Round, Box<IoError>> {
    let places = shared.store.borrow_mut().begin_round(ROUND_BLOCKS);
    let has_placed = places.is_some();
    if let Some(places) = places {
        shared.write_round(&places).await?;
    }
    let passable = shared.store.borrow().passable();
    let Some((seq, tail_pos)) = passable else {
        return Ok(if has_placed { Round::Done } else { Round::Hot });
    };
    let head = shared.next_head(|head| Head { tail_pos, tail_seq: seq + 1, ..head });
    shared.write_head(head).await?;
    shared.store.borrow_mut().tail_passed(seq);
    shared.update_room();
    Ok(Round::Done)
}

impl Shared {
    /// The head that is written next.
    pub(super) fn next_head(&self, change: impl FnOnce(Head) -> Head) -> Head {
        let ring = self.ring.borrow();
        let head = ring.as_ref().expect("the journal is there").head;
        let clock = self.store.borrow().version() - 1;
        change(Head { seq: head.seq + 1, clock, ..head })
    }

    /// Writes a head; the ring's tail moves when it is durable.
    pub(super) async fn write_head(&self, head: Head) -> Result<(), Box<IoError>> {
        let place = self.ring.borrow().as_ref().expect("the journal is there").place;
        let block = head.encode(&place);
        write_block(&self.disk, place.head_bno(head.seq), &block).await?;
        if let Some(ring) = &mut *self.ring.borrow_mut() {
            ring.head = head;
        }
        self.count(|counts| counts.heads += 1);
        self.bell.ring();
        Ok(())
    }
}

/// Writes images, neighbours in one request.
async fn write_places(pipe: &mut Pipe, places: &[Place]) -> Result<(), Box<IoError>> {
    let mut rest = places;
    while let Some(first) = rest.first() {
        let adjacent = |(at, place): &(usize, &Place)| place.bno == first.bno + *at as u64;
        let len = rest.iter().enumerate().take(pipe.blocks()).take_while(adjacent).count();
        let (now, later) = rest.split_at(len);
        let mut lease = pipe.lease(len).await;
        let (blocks, _) = lease.as_chunks_mut::<BLOCK_LEN>();
        blocks.iter_mut().zip(now).for_each(|(to, place)| {
            to.copy_from_slice(place.block.bytes());
            put_checksum(to, place.crc);
        });
        pipe.write(first.bno, lease, false);
        rest = later;
    }
    pipe.drain().await
}

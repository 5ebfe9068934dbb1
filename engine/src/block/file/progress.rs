//! What happens to a request after it was accepted: transfers, bounces, exclusive writes.
//!
//! Every arrival either moves a request on (the next transfer, the next stage) or ends it.

use super::channel::{FileChannel, Table};
use super::offload::{Answer, Call};
use super::request::{Request, Stage, fill_vector};
use super::zeroes::{self, Way};
use crate::block::{Completion, Io, Op, Outcome, Payload};
use crate::error::{ErrorKind, IoError};
use crate::memory::Segment;
use crate::ring::Arrival;

/// How often a request is sent again after EINTR or EAGAIN.
const RETRIES_MAX: u32 = 16;
/// Bytes written at once where zeroes must be written out.
const ZERO_FILL_LEN: u32 = 256 << 10;

impl FileChannel {
    /// Sends the next step of a request.
    pub(super) fn send(&mut self, slot: u32) {
        let Table { requests, vectors } = &mut *self.table;
        let request = requests.get_mut(slot).expect("a request in progress is stored");
        let (start, moved) = (request.io.offset, request.moved);
        let at = self.shared.geometry.round_down(start) + u64::from(moved);
        let lane = self.polled_lane.as_ref().unwrap_or(&self.lane);
        let fua = request.io.fua;
        match &request.stage {
            Stage::Transfer => {
                let (op, dsync) = (request.io.op, fua);
                let offset = start + u64::from(moved);
                if let Payload::One(segment) = &request.io.payload {
                    // SAFETY: the segment stays in the table until the request's last completion.
                    unsafe { lane.transfer(slot, op, segment, moved, offset, dsync) };
                    return;
                }
                if vectors.len() <= slot as usize {
                    vectors.resize_with(slot as usize + 1, Vec::new);
                }
                let vector = &mut vectors[slot as usize];
                fill_vector(vector, &request.io.payload, moved);
                // SAFETY: vector and segments stay in the table until the last completion.
                unsafe { lane.transfer_vector(slot, op, vector, offset, dsync) };
            }
            // SAFETY: the blocks stay in the table until the request's last completion.
            Stage::BounceRead { blocks } | Stage::Reading { blocks, .. } => unsafe {
                lane.transfer(slot, Op::Read, blocks, moved, at, false);
            },
            // SAFETY: as above.
            Stage::Writing { blocks, .. } => unsafe {
                lane.transfer(slot, Op::Write, blocks, moved, at, fua);
            },
            // SAFETY: as above.
            Stage::ZeroFill { zeroes, from } => unsafe {
                lane.transfer(slot, Op::Write, zeroes, 0, *from, fua);
            },
            Stage::Syncing => self.lane.sync(slot),
            Stage::Simple if request.io.op == Op::Flush => self.lane.sync(slot),
            Stage::Simple => self.send_way(slot),
            Stage::Claiming { .. } | Stage::Offloaded => unreachable!("these send nothing"),
        }
    }

    /// Tries the present way to discard or zero.
    fn send_way(&mut self, slot: u32) {
        let ways = self.ways(slot);
        let request = self.table.requests.get_mut(slot).expect("a request in progress is stored");
        let (offset, len) = (request.io.offset, request.io.len);
        match ways.get(request.way) {
            Some(Way::Allocate(mode)) => self.lane.allocate(slot, *mode, offset, len),
            Some(Way::Command) => self.lane.discard_command(slot, offset, len),
            Some(Way::Ioctl) => self.offload(slot, Call::Discard { offset, len }),
            Some(Way::Write) => self.start_zero_fill(slot),
            None => {
                let words = format!("{} cannot do it", self.shared.name);
                self.fail(slot, ErrorKind::Unsupported, words);
            }
        }
    }

    fn start_zero_fill(&mut self, slot: u32) {
        let request = self.table.requests.get_mut(slot).expect("a request in progress is stored");
        let len = request.io.len.min(u64::from(ZERO_FILL_LEN)) as u32;
        let Some(lease) = self.core.lease(len) else {
            let words = "the arena has no memory for zeroes; enlarge it";
            return self.fail(slot, ErrorKind::Transient, words.into());
        };
        let mut zeroes = Segment::from(lease);
        zeroes.fill(0);
        request.stage = Stage::ZeroFill { zeroes, from: request.io.offset };
        self.send(slot);
    }

    /// Tries to get the exclusive range of an unaligned write, then starts it.
    pub(super) fn advance_claim(&mut self, slot: u32) {
        let request = self.table.requests.get_mut(slot).expect("blocked requests are stored");
        let geometry = &self.shared.geometry;
        let end = request.io.offset + request.io.len;
        let range = geometry.round_down(request.io.offset)..geometry.round_up(end);
        let Stage::Claiming { claim } = &mut request.stage else {
            unreachable!("only claiming requests are advanced")
        };
        if claim.is_none() {
            *claim = self.shared.exclusion.claim(range.clone());
        }
        let Some(number) = *claim else { return self.blocked.push(slot) };
        if !self.shared.exclusion.is_clear(&range) {
            return self.blocked.push(slot);
        }
        self.begin_exclusive(slot, number);
    }

    fn begin_exclusive(&mut self, slot: u32, claim: u64) {
        let request = self.table.requests.get(slot).expect("blocked requests are stored");
        match self.bounce(&request.io) {
            Ok(blocks) => {
                let request = self.table.requests.get_mut(slot).expect("as above");
                request.stage = Stage::Reading { claim, blocks };
                self.send(slot);
            }
            Err((kind, words)) => self.fail(slot, kind, words),
        }
    }

    /// Handles everything that the rings brought.
    #[inline]
    pub(super) fn take_arrivals(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        self.lane.arrivals(&mut batch);
        batch.drain(..).for_each(|arrival| self.arrived(arrival));
        if let Some(lane) = &self.polled_lane {
            lane.arrivals(&mut batch);
            batch.drain(..).for_each(|arrival| self.arrived(arrival));
        }
        self.batch = batch;
    }

    #[inline]
    fn arrived(&mut self, arrival: Arrival) {
        let slot = arrival.slot;
        let request = self.table.requests.get_mut(slot).expect("arrivals are of stored requests");
        if arrival.result < 0 {
            return self.failed(slot, -arrival.result);
        }
        let moved = arrival.result as u32;
        if matches!(request.stage, Stage::Transfer)
            && u64::from(request.moved + moved) == request.io.len
        {
            return self.finish(slot, Outcome::Done);
        }
        self.moved_on(slot, moved);
    }

    /// A transfer or a step ended without error, and is not simply the whole request.
    fn moved_on(&mut self, slot: u32, moved: u32) {
        let request = self.table.requests.get_mut(slot).expect("arrivals are of stored requests");
        match &mut request.stage {
            Stage::Simple if request.io.fua => {
                request.stage = Stage::Syncing;
                self.send(slot);
            }
            Stage::Simple | Stage::Syncing => self.finish(slot, Outcome::Done),
            _ if moved == 0 => {
                let words = format!("{} ended early: was it made shorter?", self.shared.name);
                self.fail(slot, ErrorKind::Range, words);
            }
            Stage::Transfer => {
                request.moved += moved;
                self.send(slot);
            }
            Stage::ZeroFill { zeroes, from } => {
                *from += u64::from(moved);
                let left = request.io.offset + request.io.len - *from;
                if left == 0 {
                    return self.finish(slot, Outcome::Done);
                }
                zeroes.set_len(left.min(u64::from(ZERO_FILL_LEN)) as u32);
                self.send(slot);
            }
            Stage::BounceRead { blocks }
            | Stage::Reading { blocks, .. }
            | Stage::Writing { blocks, .. } => {
                request.moved += moved;
                if request.moved < blocks.len() {
                    return self.send(slot);
                }
                self.blocks_done(slot);
            }
            Stage::Claiming { .. } | Stage::Offloaded => unreachable!("these sent nothing"),
        }
    }

    /// The whole bounce buffer was read or written.
    fn blocks_done(&mut self, slot: u32) {
        let request = self.table.requests.get_mut(slot).expect("arrivals are of stored requests");
        let start = self.shared.geometry.round_down(request.io.offset);
        let skip = (request.io.offset - start) as u32;
        request.moved = 0;
        match std::mem::replace(&mut request.stage, Stage::Simple) {
            Stage::BounceRead { blocks } => {
                copy_out(&blocks, skip, &mut request.io);
                self.finish(slot, Outcome::Done);
            }
            Stage::Reading { claim, mut blocks } => {
                let differs = patch(&mut blocks, skip, &request.io);
                request.stage = Stage::Writing { claim, blocks };
                match differs {
                    None => self.send(slot),
                    Some(at) => self.fail(slot, ErrorKind::Miscompare { at }, String::new()),
                }
            }
            writing => {
                request.stage = writing;
                self.finish(slot, Outcome::Done);
            }
        }
    }

    /// The kernel answered with an error.
    fn failed(&mut self, slot: u32, errno: i32) {
        let request = self.table.requests.get_mut(slot).expect("arrivals are of stored requests");
        if matches!(errno, libc::EINTR | libc::EAGAIN) && request.retries < RETRIES_MAX {
            request.retries += 1;
            return self.send(slot);
        }
        if matches!(request.stage, Stage::Simple)
            && request.io.op != Op::Flush
            && zeroes::refused(errno)
        {
            request.way += 1;
            return self.send_way(slot);
        }
        let io = &request.io;
        let error = IoError::from_errno(errno, io.op, io.offset, io.len, &self.shared.name);
        self.end(slot, |io| io.failed_with(error));
    }

    pub(super) fn fail(&mut self, slot: u32, kind: ErrorKind, words: String) {
        self.end(slot, |io| io.failed(kind, words));
    }

    #[inline]
    fn finish(&mut self, slot: u32, outcome: Outcome) {
        self.end(slot, |io| io.done_with(outcome));
    }

    /// Ends a request: off the board, its claim given up, its completion for the submitter.
    #[inline]
    fn end(&mut self, slot: u32, complete: impl FnOnce(Io) -> Completion) {
        let request = self.table.requests.remove(slot).expect("a request ends once");
        if request.published {
            self.board.withdraw(slot);
        }
        if let Some(claim) = request.claim() {
            self.shared.exclusion.release(claim);
        }
        self.done.push(complete(request.io));
    }

    /// The helper thread answered.
    pub(super) fn answered(&mut self, slot: u32, answer: Answer) {
        let request = self.table.requests.get_mut(slot).expect("answers are of stored requests");
        match answer {
            Ok(extents) if request.io.op == Op::BlockStatus => {
                self.finish(slot, Outcome::Extents(Box::new(extents)));
            }
            Ok(_) => self.moved_on(slot, 0),
            Err(error) => self.failed(slot, error.errno.unwrap_or(libc::EIO)),
        }
    }
}

impl Request {
    /// The exclusive range that the request holds.
    #[inline]
    pub(super) fn claim(&self) -> Option<u64> {
        match self.stage {
            Stage::Claiming { claim } => claim,
            Stage::Reading { claim, .. } | Stage::Writing { claim, .. } => Some(claim),
            _ => None,
        }
    }
}

/// Copies the bytes that were asked for out of the aligned blocks.
fn copy_out(blocks: &Segment, skip: u32, io: &mut Io) {
    let mut from = vec![0; io.len as usize];
    blocks.copy_to(skip, &mut from);
    io.payload.copy_from(0, &from);
}

/// Puts the request's bytes into the aligned blocks; the first differing byte of a failed compare.
fn patch(blocks: &mut Segment, skip: u32, io: &Io) -> Option<u64> {
    let len = io.len as usize;
    let mut bytes = vec![0; len];
    match io.op {
        Op::CompareAndWrite => {
            let mut found = vec![0; len];
            blocks.copy_to(skip, &mut found);
            io.payload.copy_to(0, &mut bytes);
            let differs = found.iter().zip(&bytes).position(|(a, b)| a != b);
            if differs.is_some() {
                return differs.map(|at| at as u64);
            }
            io.payload.copy_to(io.len, &mut bytes);
        }
        Op::Write => io.payload.copy_to(0, &mut bytes),
        // Zeroes whose range is not aligned: the bytes are zero already.
        _ => {}
    }
    blocks.copy_from(skip, &bytes);
    None
}

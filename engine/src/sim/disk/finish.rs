//! The end of a request: its change, its bytes, its completion.

use super::super::PPM;
use super::config::Mutation;
use super::ranges::{Content, Piece};
use super::state::{Event, Request, State};
use super::{DISK_EXTENTS_MAX, plan};
use crate::block::{Completion, Extent, ExtentKind, Io, Op, Outcome};
use crate::error::ErrorKind;

/// How long after its acknowledgement an early flush does its work, in nanoseconds.
const SETTLE_NS: std::ops::Range<u64> = 1_000_000..20_000_000;
/// How often a unit stays behind where acknowledged units are torn.
const STAYS_PPM: u32 = PPM / 4;

impl State {
    /// Completes a request now.
    pub(super) fn finish(&mut self, request: Request) {
        let Request { port, io, rest, flush_to, fault } = request;
        let (op, numbers) = (io.op, [io.offset, io.len]);
        let is_cut_off = op.has_range() && io.offset.saturating_add(io.len) > self.size;
        let (completion, crc) = if is_cut_off {
            (self.fail(io, ErrorKind::Range, "the device shrank below the request"), 0)
        } else if let Some(kind) = fault {
            self.apply_some(rest, kind);
            (self.fail(io, kind, "a fault by rule"), 0)
        } else {
            self.serve(io, rest, flush_to)
        };
        let what = if completion.result.is_ok() { op.name() } else { "failed" };
        self.trace.note_bytes(self.now, what, self.number, numbers, crc);
        self.give(port, completion);
    }

    fn fail(&self, io: Io, kind: ErrorKind, why: &str) -> Completion {
        let error = self.error(&io, kind, why);
        io.failed_with(error)
    }

    /// What an operation leaves behind that failed halfway.
    fn apply_some(&mut self, rest: Vec<Piece>, kind: ErrorKind) {
        if kind != (ErrorKind::Aborted { maybe_written: true }) {
            return;
        }
        let units = self.medium.units(&rest);
        let rng = &mut self.rng;
        let some = units.into_iter().filter(|_| rng.chance(PPM / 2)).collect();
        self.medium.apply(some);
    }

    fn serve(&mut self, io: Io, rest: Vec<Piece>, flush_to: u64) -> (Completion, u32) {
        self.stats.served += 1;
        match io.op {
            Op::Read => self.read(io),
            Op::CompareAndWrite => (self.compare_and_write(io, rest), 0),
            Op::Flush => {
                self.flush(flush_to);
                (io.done(), 0)
            }
            Op::BlockStatus => {
                let extents = self.extents(io.offset, io.offset + io.len);
                (io.done_with(Outcome::Extents(Box::new(extents))), 0)
            }
            _ => {
                let crc = rest.iter().fold(0, |crc, piece| crc_of(crc, &piece.content));
                self.change(&io, rest);
                (io.done(), crc)
            }
        }
    }

    fn read(&mut self, mut io: Io) -> (Completion, u32) {
        let faults = self.config.silent;
        let mut bytes = vec![0; io.len as usize];
        let mut from = io.offset;
        if self.rng.chance(faults.misdirected_read_ppm) {
            self.stats.misdirected += 1;
            from = plan::elsewhere(self, io.len);
        }
        self.medium.front().read(from, &mut bytes);
        if self.rng.chance(faults.flipped_read_ppm) && !bytes.is_empty() {
            self.stats.flipped_reads += 1;
            let bit = self.rng.below(io.len * 8);
            bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        }
        io.payload.copy_from(0, &bytes);
        (io.done(), crc32c::crc32c(&bytes))
    }

    /// Puts a change on the medium, durably where the request asks for it.
    fn change(&mut self, io: &Io, rest: Vec<Piece>) {
        let is_durable = io.fua && self.config.mutation != Mutation::FuaIgnored;
        if !is_durable {
            return self.medium.apply(rest);
        }
        // What became visible midway is durable with the rest, so the whole place is taken.
        self.medium.apply(rest);
        let visible = self.medium.front().pieces(io.offset, io.offset + io.len);
        let units = self.medium.units(&visible);
        let is_torn = self.config.mutation == Mutation::TornAcknowledged;
        let rng = &mut self.rng;
        let done = units.into_iter().filter(|_| !(is_torn && rng.chance(STAYS_PPM))).collect();
        self.medium.apply_durably(done);
    }

    fn flush(&mut self, nth: u64) {
        match self.config.mutation {
            Mutation::FlushIgnored => {}
            Mutation::FlushEarly => {
                let later = self.rng.within(SETTLE_NS);
                self.at(self.now.saturating_add(later), Event::Settle(nth));
            }
            Mutation::TornAcknowledged => {
                let rng = &mut self.rng;
                self.medium.flush(nth, |_| rng.chance(STAYS_PPM));
            }
            Mutation::None | Mutation::FuaIgnored => self.medium.flush(nth, |_| false),
        }
    }

    fn compare_and_write(&mut self, io: Io, rest: Vec<Piece>) -> Completion {
        if let Some(at) = self.difference(&io) {
            let kind = ErrorKind::Miscompare { at };
            return self.fail(io, kind, "the device holds other bytes");
        }
        self.change(&io, rest);
        io.done()
    }

    /// The first byte at which the medium differs from the first half of the payload.
    pub(super) fn difference(&self, io: &Io) -> Option<u64> {
        let mut expected = vec![0; io.len as usize];
        let mut found = expected.clone();
        io.payload.copy_to(0, &mut expected);
        self.medium.front().read(io.offset, &mut found);
        expected.iter().zip(&found).position(|(a, b)| a != b).map(|at| at as u64)
    }

    fn extents(&self, start: u64, end: u64) -> Vec<Extent> {
        let pieces = self.medium.front().pieces(start, end);
        let mut extents: Vec<Extent> = Vec::new();
        for piece in pieces {
            let kind = match piece.content {
                Content::Hole => ExtentKind::Hole,
                Content::Zero => ExtentKind::Zero,
                Content::Bytes { .. } => ExtentKind::Data,
            };
            let is_full = extents.len() == DISK_EXTENTS_MAX;
            match extents.last_mut() {
                Some(last) if last.kind == kind => last.len += piece.len,
                _ if is_full => break,
                _ => extents.push(Extent { offset: piece.start, len: piece.len, kind }),
            }
        }
        extents
    }
}

fn crc_of(crc: u32, content: &Content) -> u32 {
    match content {
        Content::Bytes { data, at } => crc32c::crc32c_append(crc, &data[*at..]),
        Content::Hole | Content::Zero => crc,
    }
}

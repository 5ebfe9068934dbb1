//! Requests that are not one request of the device: begun, driven in pieces, ended.

use std::ops::Range;

use byway_engine::block::{Completion, Io, IoResult, Op, Outcome};
use byway_engine::error::{ErrorKind, IoError};

use super::channel::{BLOCK, Pending, State, blocks_of};
use super::map::{Mapped, Target};
use super::message::{Asker, Need, ToHome, kind_of};
use super::work::{Keep, Stage, Work};
use crate::store::FsError;

impl State {
    /// A request that no known extent serves as a whole.
    #[inline(never)]
    pub(super) fn submit_rare(&mut self, io: Io) -> Result<(), Io> {
        if self.in_flight() >= self.shared.depth() {
            return Err(io);
        }
        if let Some((kind, why)) = self.refusal(&io) {
            let why = format!("{}: {why}", self.shared.name());
            self.done.push(io.failed(kind, why));
            return Ok(());
        }
        match io.op {
            Op::Flush if self.shared.is_settled() => return self.submit_flush(io),
            Op::Flush => self.begin_asking(io, Need::Flush),
            _ if io.len == 0 => self.done.push(io.done()),
            Op::Read | Op::Write => self.begin_driving(io),
            _ => {
                let bytes = io.offset..io.offset + io.len;
                let need = match io.op {
                    Op::Discard => Need::Discard(bytes),
                    Op::WriteZeroes => Need::Zero { bytes, unmap: io.unmap },
                    _ => Need::Status(bytes),
                };
                self.begin_asking(io, need);
            }
        }
        Ok(())
    }

    pub(super) fn refusal(&self, io: &Io) -> Option<(ErrorKind, &'static str)> {
        if let Op::CompareAndWrite | Op::ReservationIn | Op::ReservationOut = io.op {
            return Some((ErrorKind::Unsupported, "a file knows no such operation"));
        }
        if io.op == Op::Flush {
            return None;
        }
        if io.op.changes_medium() && self.read_only {
            return Some((ErrorKind::ReadOnly, "it was opened for reading"));
        }
        let size = self.shared.device_size();
        if io.offset.checked_add(io.len).is_none_or(|end| end > size) {
            return Some((ErrorKind::Range, "the request ends beyond the file"));
        }
        let carries = matches!(io.op, Op::Read | Op::Write);
        if carries && io.payload.len() != io.len {
            return Some((ErrorKind::Range, "the payload is not as long as the request"));
        }
        let is_aligned = (io.offset | io.len).is_multiple_of(self.shared.sector_len());
        (!is_aligned).then_some((ErrorKind::Range, "the request is not of whole sectors"))
    }

    /// A work for a request; there is room, as fewer requests than the depth are in flight.
    pub(super) fn begin(&mut self, io: Io) -> u32 {
        let mut work = self.spare.pop().unwrap_or_else(Work::empty);
        work.begin(io);
        self.works.insert(work).ok().expect("as many works as requests")
    }

    fn begin_driving(&mut self, io: Io) {
        if io.op == Op::Write {
            self.shared.note_write();
        }
        let number = self.begin(io);
        self.drive(number);
    }

    /// The home does it all; where it must be durable, a flush follows.
    fn begin_asking(&mut self, io: Io, need: Need) {
        let is_flush = need == Need::Flush;
        let number = self.begin(io);
        let work = self.work(number);
        work.at = work.end();
        work.must_flush = work.fua;
        if is_flush {
            return self.ask_flush(number);
        }
        work.stage = Stage::Asking;
        self.ask(number, need);
    }

    fn work(&mut self, number: u32) -> &mut Work {
        self.works.get_mut(number).expect("a number names a work until its end")
    }

    fn ask(&mut self, work: u32, need: Need) {
        let asker = Asker { channel: self.id, work };
        self.tell(ToHome::Ask(asker, need));
    }

    fn ask_flush(&mut self, number: u32) {
        self.flushes += 1;
        let flush = self.flushes;
        self.work(number).stage = Stage::Flushing(flush);
        self.ask(number, Need::Flush);
    }

    /// Sends pieces for as long as it is known where they go.
    pub(super) fn drive(&mut self, number: u32) {
        loop {
            let State { works, map, .. } = self;
            let work = works.get_mut(number).expect("a number names a work until its end");
            if work.at == work.end() {
                return self.end_if_driven(number);
            }
            if self.pending.is_full() {
                return self.stalled.push_back(number);
            }
            let usable = work.next_place(map).filter(|entry| match entry.target {
                Target::Granted { .. } => work.op == Op::Write,
                Target::Disk { writable, .. } => writable || work.op == Op::Read,
                Target::Zeroes => work.op == Op::Read,
            });
            let Some(entry) = usable else {
                let bytes = work.at..work.end();
                work.stage = Stage::Asking;
                let is_read = work.op == Op::Read;
                return self
                    .ask(number, if is_read { Need::Read(bytes) } else { Need::Write(bytes) });
            };
            self.send_piece(number, entry);
        }
    }

    /// Cuts off what lies in `entry` and sends it there.
    fn send_piece(&mut self, number: u32, entry: Mapped) {
        let State { works, lists, .. } = self;
        let work = works.get_mut(number).expect("a number names a work until its end");
        let offset = work.at;
        let len = work.end().min(entry.end() * BLOCK) - offset;
        work.at += len;
        let (at, mut payload) = work.spread.cut(len, lists);
        let (bno, granted, fresh) = match entry.target {
            Target::Zeroes => {
                payload.segments_mut().iter_mut().for_each(|segment| segment.fill(0));
                return work.spread.put(at, payload, lists);
            }
            Target::Disk { bno, fresh, .. } => (bno, false, fresh > 0),
            Target::Granted { bno } => (bno, true, true),
        };
        let is_write = work.op == Op::Write;
        work.out += 1;
        work.must_flush |= work.fua && fresh;
        let fua = work.fua && !fresh;
        let place = offset.wrapping_add(bno.wrapping_sub(entry.first).wrapping_mul(BLOCK));
        let io = if is_write { Io::write(place, payload) } else { Io::read(place, payload) };
        self.beside.pieces += u32::from(work.keep == Keep::Fetch);
        let tells = is_write && self.shared.facts.stamps.must_tell();
        if tells {
            self.shared.facts.stamps.begin(&blocks_of(offset, len));
        }
        let piece = Pending::Piece { work: number, at, offset, len, granted, tells };
        self.send_below(Io { fua, ..io }, piece);
    }

    fn send_below(&mut self, io: Io, piece: Pending) {
        let own = self.pending.insert(piece).ok().expect("a piece is sent where there is room");
        let io = io.with_tag(u64::from(own));
        if !self.waiting.is_empty() {
            return self.waiting.push_back(io);
        }
        if let Err(io) = self.below.submit(io) {
            self.waiting.push_back(io);
        }
    }

    /// A piece is back from the device.
    pub(super) fn piece_back(
        &mut self,
        number: u32,
        at: u64,
        bytes: Range<u64>,
        granted: bool,
        piece: Completion,
    ) {
        let State { works, lists, .. } = self;
        let work = works.get_mut(number).expect("a number names a work until its end");
        work.out -= 1;
        self.beside.pieces -= u32::from(work.keep == Keep::Fetch);
        work.spread.put(at, piece.payload, lists);
        let is_written = piece.result.is_ok();
        if let Err(mut error) = piece.result {
            error.offset = bytes.start;
            self.fail(number, error);
        }
        if granted {
            let blocks = bytes.start / BLOCK..bytes.end.div_ceil(BLOCK);
            self.granted_back(number, blocks, is_written);
        }
        self.end_if_driven(number);
    }

    /// What was granted is used: the home must know, and this channel may remember it.
    fn granted_back(&mut self, number: u32, blocks: Range<u64>, is_written: bool) {
        let fresh = self.flushes + 1;
        if is_written && self.forgetting.is_empty() {
            let given = self.work(number).given.iter().find_map(|entry| entry.within(&blocks));
            if let Some(Mapped { target: Target::Granted { bno }, first, len }) = given {
                let target = Target::Disk { bno, writable: true, fresh };
                self.map.insert(Mapped { first, len, target });
            }
        } else if is_written {
            // It may have known them as zeroes.
            self.map.forget(blocks.clone());
        }
        self.tell(if is_written { ToHome::Written(blocks) } else { ToHome::NotWritten(blocks) });
    }

    /// Works that found no room go on.
    pub(super) fn resume(&mut self) {
        while !self.pending.is_full()
            && let Some(number) = self.stalled.pop_front()
        {
            self.drive(number);
        }
    }

    /// Works that found no room ask again: what they were told holds no more.
    pub(super) fn take_back_given(&mut self) {
        for at in 0..self.stalled.len() {
            self.refuse_given(self.stalled[at]);
        }
    }

    /// Gives back what was granted to a work and is not used.
    fn refuse_given(&mut self, number: u32) {
        let work = self.work(number);
        let unused = work.at / BLOCK..work.end().div_ceil(BLOCK);
        let mut given = std::mem::take(&mut work.given);
        for entry in given.iter().filter_map(|entry| entry.within(&unused)) {
            if let Target::Granted { .. } = entry.target {
                self.tell(ToHome::NotWritten(entry.first..entry.end()));
            }
        }
        given.retain(|entry| entry.first < unused.start);
        self.work(number).given = given;
    }

    /// A piece of a work failed: no further piece goes out.
    fn fail(&mut self, number: u32, error: Box<IoError>) {
        self.refuse_given(number);
        self.work(number).fail(error);
    }

    fn end_if_driven(&mut self, number: u32) {
        let work = self.work(number);
        if work.stage != Stage::Driving || !work.is_driven() {
            return;
        }
        if work.must_flush && work.error.is_none() {
            work.must_flush = false;
            return self.ask_flush(number);
        }
        self.end(number, Outcome::Done);
    }

    fn end(&mut self, number: u32, outcome: Outcome) {
        let mut work = self.works.remove(number).expect("a number names a work until its end");
        let done = work.complete(outcome);
        let (keep, offset, blocks) = (work.keep, work.offset, blocks_of(work.offset, work.len));
        if keep != Keep::Nothing && done.result.is_ok() {
            self.keep(offset, &work.stamps, &done.payload);
        }
        self.spare.push(work);
        match keep {
            Keep::Fetch => self.fetched(blocks, done),
            _ => self.done.push(done),
        }
    }

    /// The home tells where bytes lie.
    pub(super) fn mapped(
        &mut self,
        number: u32,
        given: Result<Vec<Mapped>, FsError>,
        lasting: bool,
    ) {
        let fresh = self.flushes + 1;
        self.work(number).stage = Stage::Driving;
        match given {
            Err(error) => self.work(number).fail_by(kind_of(&error), &error),
            Ok(mut given) => {
                given.iter_mut().for_each(|entry| renumber(&mut entry.target, fresh));
                let lasts =
                    |entry: &&Mapped| lasting && !matches!(entry.target, Target::Granted { .. });
                given.iter().filter(lasts).for_each(|entry| self.map.insert(*entry));
                let work = self.work(number);
                // Pieces that are out may still need what was granted to them.
                work.given.retain(|entry| matches!(entry.target, Target::Granted { .. }));
                work.given.extend(given);
            }
        }
        self.drive(number);
    }

    /// The home did what it was asked for.
    pub(super) fn answered(&mut self, number: u32, result: IoResult) {
        let work = self.work(number);
        if let Stage::Flushing(flush) = work.stage
            && result.is_ok()
        {
            self.map.settle(flush);
        }
        let work = self.work(number);
        work.stage = Stage::Driving;
        match result {
            Ok(Outcome::Extents(extents)) => self.end(number, Outcome::Extents(extents)),
            Ok(_) => self.end_if_driven(number),
            Err(error) => {
                let IoError { kind, detail, .. } = *error;
                let (op, offset, len) = (work.op, work.offset, work.len);
                work.fail(Box::new(IoError::new(kind, op, offset, len, detail)));
                self.end_if_driven(number);
            }
        }
    }

    /// The home cannot be asked any more.
    pub(super) fn fail_work(&mut self, number: u32, kind: ErrorKind, error: &FsError) {
        let work = self.work(number);
        work.stage = Stage::Driving;
        work.fail_by(kind, error);
        self.end_if_driven(number);
    }
}

/// The home knows what is fresh; which flush ends that is the channel's count.
fn renumber(target: &mut Target, flush: u32) {
    if let Target::Disk { fresh, .. } = target
        && *fresh > 0
    {
        *fresh = flush;
    }
}

//! A core's way into a verified device.

use std::ops::Range;
use std::sync::Arc;

use super::super::super::cursor::Cursor;
use super::super::super::{
    Channel, Completion, Completions, DeviceEvent, Io, IoResult, Op, Payload, TagTable, WaitSource,
};
use super::table::{Ending, Table};
use super::{Counters, VerifyCounts};
use crate::error::{ErrorKind, IoError};

/// A request below, and what its blocks were when it began.
struct Pending {
    tag: u64,
    offset: u64,
    len: u64,
    op: Op,
    /// The blocks to compare (of a read) or being written.
    blocks: Range<u64>,
    /// True where the request is made of whole blocks with a payload that fits.
    is_whole: bool,
}

pub(super) struct VerifyChannel {
    inner: Box<dyn Channel>,
    table: Arc<Table>,
    counters: Arc<Counters>,
    pending: TagTable<Pending>,
    /// By tag, one word per block: versions of a read, checksums of a write. Kept from request to
    /// request, so that they are allocated for the longest one only.
    words: Vec<Vec<u32>>,
    /// One block.
    scratch: Vec<u8>,
}

impl VerifyChannel {
    pub(super) fn new(
        inner: Box<dyn Channel>,
        table: Arc<Table>,
        counters: Arc<Counters>,
        depth: u32,
    ) -> Self {
        let scratch = vec![0; table.block_len() as usize];
        let words = (0..depth).map(|_| Vec::new()).collect();
        VerifyChannel { inner, table, counters, pending: TagTable::new(depth), words, scratch }
    }

    fn describe(&self, io: &Io) -> Pending {
        let Io { tag, offset, len, op, .. } = *io;
        let has_payload = match op {
            Op::Read | Op::Write => io.payload.len() == len,
            Op::CompareAndWrite => len.checked_mul(2) == Some(io.payload.len()),
            _ => true,
        };
        let is_whole = has_payload && self.table.is_whole(offset, len);
        let is_tracked = op.changes_medium() || (op == Op::Read && is_whole);
        let blocks = if is_tracked { self.table.touched(offset, len) } else { 0..0 };
        Pending { tag, offset, len, op, blocks, is_whole }
    }

    /// Notes what the request's blocks are, or will be; false where it must wait.
    fn begin(&mut self, own: u32, payload: &Payload) -> bool {
        let request = self.pending.get(own).expect("just inserted");
        let words = &mut self.words[own as usize];
        words.clear();
        if request.op == Op::Read {
            words.extend(request.blocks.clone().map(|block| self.table.version(block)));
            return true;
        }
        if !request.op.changes_medium() {
            return true;
        }
        if request.is_whole && matches!(request.op, Op::Write | Op::CompareAndWrite) {
            let count = request.blocks.end - request.blocks.start;
            let compared = if request.op == Op::CompareAndWrite { count } else { 0 };
            let mut cursor = Cursor::default();
            for nth in 0..compared + count {
                cursor.take(payload.segments(), &mut self.scratch);
                if nth >= compared {
                    words.push(crc32c::crc32c(&self.scratch));
                }
            }
        }
        self.table.begin(request.blocks.clone())
    }

    fn finish(&mut self, completion: &mut Completion, counts: &mut VerifyCounts) {
        let own = completion.tag as u32;
        let request = self.pending.remove(own).expect("a tag of ours");
        completion.tag = request.tag;
        if request.op.changes_medium() {
            let first = request.blocks.start;
            let ending = self.ending(&request, &completion.result);
            let words = &self.words[own as usize];
            self.table.end(request.blocks, |block| match ending {
                Ending::Wrote(_) if !words.is_empty() => {
                    Ending::Wrote(words[(block - first) as usize])
                }
                same => same,
            });
        } else if request.op == Op::Read && completion.result.is_ok() {
            self.compare(own, &request, completion, counts);
        }
    }

    /// How a write ended; the checksum is that of zeroes, where the request had no payload.
    fn ending(&self, request: &Pending, result: &IoResult) -> Ending {
        match result {
            Ok(_) if request.is_whole && request.op != Op::Discard => {
                Ending::Wrote(self.table.zeroes_crc())
            }
            Ok(_) => Ending::Unknown,
            Err(error) => match error.kind {
                ErrorKind::Miscompare { .. } | ErrorKind::Aborted { maybe_written: false } => {
                    Ending::Unchanged
                }
                _ => Ending::Unknown,
            },
        }
    }

    fn compare(
        &mut self,
        own: u32,
        request: &Pending,
        completion: &mut Completion,
        counts: &mut VerifyCounts,
    ) {
        let mut cursor = Cursor::default();
        let mut first_wrong = None;
        for (block, version) in request.blocks.clone().zip(&self.words[own as usize]) {
            cursor.take(completion.payload.segments(), &mut self.scratch);
            match self.table.expected(block, *version) {
                None => counts.skipped += 1,
                Some(crc) if crc == crc32c::crc32c(&self.scratch) => counts.matched += 1,
                Some(_) => {
                    counts.mismatched += 1;
                    first_wrong.get_or_insert(block);
                }
            }
        }
        if let Some(block) = first_wrong {
            let at = block * u64::from(self.table.block_len());
            completion.result = Err(Box::new(mismatch(request, at)));
        }
    }
}

fn mismatch(request: &Pending, at: u64) -> IoError {
    let words = format!("verify: block at offset {at} reads other bytes than were written");
    IoError::new(ErrorKind::Media, request.op, request.offset, request.len, words)
}

impl Channel for VerifyChannel {
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        let request = self.describe(&io);
        let (tag, blocks) = (io.tag, request.blocks.clone());
        let changes = request.op.changes_medium();
        let Ok(own) = self.pending.insert(request) else { return Err(io) };
        if !self.begin(own, &io.payload) {
            self.pending.remove(own);
            return Err(io);
        }
        self.inner.submit(io.with_tag(u64::from(own))).map_err(|io| {
            self.pending.remove(own);
            if changes {
                self.table.end(blocks, |_| Ending::Unchanged);
            }
            io.with_tag(tag)
        })
    }

    fn flush_submissions(&mut self) {
        self.inner.flush_submissions();
    }

    fn poll(&mut self, done: &mut Completions) {
        let start = done.len();
        self.inner.poll(done);
        let mut counts = VerifyCounts::default();
        done[start..].iter_mut().for_each(|completion| self.finish(completion, &mut counts));
        if counts != VerifyCounts::default() {
            self.counters.add(counts);
        }
    }

    fn in_flight(&self) -> u32 {
        self.inner.in_flight()
    }

    fn wait_source(&self) -> WaitSource {
        self.inner.wait_source()
    }

    fn take_event(&mut self) -> Option<DeviceEvent> {
        let event = self.inner.take_event();
        if let Some(DeviceEvent::Resized { size }) = event {
            self.table.forget_from(size);
        }
        event
    }
}

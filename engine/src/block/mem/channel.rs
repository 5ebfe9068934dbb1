//! A core's way into a `mem:` device: requests are gathered and done together, so that the memory
//! of the next ones is on its way into the cache while one is copied.

use std::sync::Arc;

use super::super::cursor::Cursor;
use super::super::{
    Channel, Completion, Completions, DeviceEvent, Extent, ExtentKind, Io, Op, Outcome, WaitSource,
};
use super::store::Store;
use super::{BLOCK_LEN, BLOCK_SHIFT, SECTOR_LEN};
use crate::error::ErrorKind;
use crate::memory::Segment;

/// Requests that one channel holds until they are polled.
pub const MEM_DEPTH_MAX: u32 = 4096;
/// The longest compare-and-write in bytes.
pub const MEM_COMPARE_LEN_MAX: u64 = 64 << 10;
/// The most extents in one answer to block status.
pub const MEM_EXTENTS_MAX: usize = 1024;

/// How many requests ahead memory is fetched.
const AHEAD: usize = 2;

const ZEROES: [u8; BLOCK_LEN as usize] = [0; BLOCK_LEN as usize];

pub(super) struct MemChannel {
    store: Arc<Store>,
    waiting: Vec<Io>,
    done: Completions,
    /// The size that the submitter knows of.
    seen_size: u64,
}

impl MemChannel {
    pub(super) fn new(store: Arc<Store>) -> Self {
        let seen_size = store.size();
        let depth = MEM_DEPTH_MAX as usize;
        let (waiting, done) = (Vec::with_capacity(depth), Vec::with_capacity(depth));
        MemChannel { store, waiting, done, seen_size }
    }
}

impl Channel for MemChannel {
    #[inline]
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        if self.in_flight() == MEM_DEPTH_MAX {
            return Err(io);
        }
        self.waiting.push(io);
        Ok(())
    }

    fn flush_submissions(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        for io in waiting.iter().take(AHEAD) {
            self.store.prefetch(io.offset);
        }
        for n in 0..waiting.len() {
            if let Some(next) = waiting.get(n + AHEAD) {
                self.store.prefetch(next.offset);
            }
            // What is left in its place is never looked at.
            let io = std::mem::replace(&mut waiting[n], Io::flush());
            self.done.push(serve(&self.store, io));
        }
        waiting.clear();
        self.waiting = waiting;
    }

    #[inline]
    fn poll(&mut self, done: &mut Completions) {
        if !self.waiting.is_empty() {
            self.flush_submissions();
        }
        done.append(&mut self.done);
    }

    fn in_flight(&self) -> u32 {
        (self.done.len() + self.waiting.len()) as u32
    }

    fn lend(&self, offset: u64, len: u32) -> Option<Segment> {
        self.store.lend(offset, len)
    }

    fn wait_source(&self) -> WaitSource {
        WaitSource::Poll
    }

    fn take_event(&mut self) -> Option<DeviceEvent> {
        let size = self.store.size();
        let changed = size != std::mem::replace(&mut self.seen_size, size);
        changed.then_some(DeviceEvent::Resized { size })
    }
}

#[inline]
fn serve(store: &Store, io: Io) -> Completion {
    match io.op {
        Op::Read => read(store, io),
        Op::Write => write(store, io),
        _ => rare(store, io),
    }
}

/// A request's part of one block.
struct Piece {
    block: u64,
    start: usize,
    end: usize,
}

/// The request's parts of each block that it touches, in order.
#[inline]
fn pieces(offset: u64, len: u64) -> impl Iterator<Item = Piece> {
    let end = offset + len;
    let mut at = offset;
    std::iter::from_fn(move || {
        if at == end {
            return None;
        }
        let next = end.min((at | (BLOCK_LEN - 1)) + 1);
        let start = (at % BLOCK_LEN) as usize;
        let piece = Piece { block: at >> BLOCK_SHIFT, start, end: start + (next - at) as usize };
        at = next;
        Some(piece)
    })
}

/// What is wrong with the request's range or payload, if anything.
#[inline]
fn refusal(store: &Store, io: &Io, payload_len: u64) -> Option<&'static str> {
    let is_inside = io.offset.checked_add(io.len).is_some_and(|end| end <= store.size());
    let is_aligned = (io.offset | io.len).is_multiple_of(SECTOR_LEN);
    if is_inside && is_aligned && io.payload.len() == payload_len {
        return None;
    }
    Some(if !is_inside {
        "mem: the request ends beyond the device"
    } else if io.payload.len() != payload_len {
        "mem: the payload is not as long as the request"
    } else {
        "mem: offset and length must be multiples of 512"
    })
}

#[inline]
fn read(store: &Store, mut io: Io) -> Completion {
    if let Some(why) = refusal(store, &io, io.len) {
        return io.failed(ErrorKind::Range, why);
    }
    let mut cursor = Cursor::default();
    let segments = io.payload.segments_mut();
    for Piece { block, start, end } in pieces(io.offset, io.len) {
        store.read(block, |bytes| {
            cursor.put(segments, &bytes.unwrap_or(&ZEROES)[start..end]);
        });
    }
    io.done()
}

#[inline]
fn write(store: &Store, io: Io) -> Completion {
    if let Some(why) = refusal(store, &io, io.len) {
        return io.failed(ErrorKind::Range, why);
    }
    let mut cursor = Cursor::default();
    for Piece { block, start, end } in pieces(io.offset, io.len) {
        let device_end = (block << BLOCK_SHIFT) + end as u64;
        let take = |bytes: &mut [u8]| cursor.take(io.payload.segments(), &mut bytes[start..end]);
        if !store.write(block, device_end, take) {
            return io.failed(ErrorKind::Range, "mem: the device shrank below the request");
        }
    }
    io.done()
}

#[cold]
fn rare(store: &Store, io: Io) -> Completion {
    match io.op {
        Op::CompareAndWrite => compare_and_write(store, io),
        Op::ReservationIn | Op::ReservationOut => {
            io.failed(ErrorKind::Unsupported, "mem: knows no reservations")
        }
        Op::Flush => io.done(),
        _ => match refusal(store, &io, 0) {
            Some(why) => io.failed(ErrorKind::Range, why),
            None => without_payload(store, io),
        },
    }
}

fn without_payload(store: &Store, io: Io) -> Completion {
    match io.op {
        Op::BlockStatus => {
            let extents = extents(store, io.offset, io.len);
            io.done_with(Outcome::Extents(Box::new(extents)))
        }
        Op::WriteZeroes if !io.unmap => fill_zeroes(store, io),
        _ => {
            free_zeroes(store, io.offset, io.len);
            io.done()
        }
    }
}

/// Zeroes that keep, or take, their memory.
fn fill_zeroes(store: &Store, io: Io) -> Completion {
    for Piece { block, start, end } in pieces(io.offset, io.len) {
        let device_end = (block << BLOCK_SHIFT) + end as u64;
        if !store.write(block, device_end, |bytes| bytes[start..end].fill(0)) {
            return io.failed(ErrorKind::Range, "mem: the device shrank below the request");
        }
    }
    io.done()
}

/// Zeroes that give the memory of whole blocks back.
fn free_zeroes(store: &Store, offset: u64, len: u64) {
    let end = offset + len;
    let (first, last) = (offset.div_ceil(BLOCK_LEN), end >> BLOCK_SHIFT);
    if first >= last {
        return pieces(offset, len).for_each(|p| store.clear(p.block, p.start..p.end));
    }
    let (body, body_end) = (first << BLOCK_SHIFT, last << BLOCK_SHIFT);
    pieces(offset, body - offset).for_each(|p| store.clear(p.block, p.start..p.end));
    store.free(first, last);
    pieces(body_end, end - body_end).for_each(|p| store.clear(p.block, p.start..p.end));
}

fn extents(store: &Store, offset: u64, len: u64) -> Vec<Extent> {
    let (end, mut at) = (offset + len, offset);
    let last = end.div_ceil(BLOCK_LEN);
    let mut extents = Vec::new();
    while at < end && extents.len() < MEM_EXTENTS_MAX {
        let block = at >> BLOCK_SHIFT;
        let is_written = store.is_written(block);
        let next = (store.next_change(block, last, is_written) << BLOCK_SHIFT).clamp(at, end);
        let kind = if is_written { ExtentKind::Data } else { ExtentKind::Hole };
        if next > at {
            extents.push(Extent { offset: at, len: next - at, kind });
        }
        at = next;
    }
    extents
}

fn compare_and_write(store: &Store, io: Io) -> Completion {
    if let Some(why) = refusal(store, &io, 2 * io.len.min(1 << 32)) {
        return io.failed(ErrorKind::Range, why);
    }
    if io.len == 0 {
        return io.done();
    }
    if io.len > MEM_COMPARE_LEN_MAX {
        let why = format!("mem: compare-and-write takes at most {MEM_COMPARE_LEN_MAX} bytes");
        return io.failed(ErrorKind::Range, why);
    }
    let end = io.offset + io.len;
    let start = (io.offset % BLOCK_LEN) as usize;
    let outcome = store.write_range(io.offset >> BLOCK_SHIFT, end, |bytes| {
        let bytes = &mut bytes[start..start + io.len as usize];
        compare_then_write(bytes, &io)
    });
    match outcome {
        Some(Ok(())) => io.done(),
        Some(Err(at)) => {
            io.failed(ErrorKind::Miscompare { at }, "mem: the device holds other bytes")
        }
        None => io.failed(ErrorKind::Range, "mem: the device shrank below the request"),
    }
}

/// Writes the second half of the payload, or tells the first byte that differs from the first half.
fn compare_then_write(bytes: &mut [u8], io: &Io) -> Result<(), u64> {
    let mut cursor = Cursor::default();
    let mut expected = [0; SECTOR_LEN as usize];
    for (nth, sector) in bytes.chunks(expected.len()).enumerate() {
        cursor.take(io.payload.segments(), &mut expected);
        if let Some(at) = sector.iter().zip(&expected).position(|(a, b)| a != b) {
            return Err(nth as u64 * SECTOR_LEN + at as u64);
        }
    }
    cursor.take(io.payload.segments(), bytes);
    Ok(())
}

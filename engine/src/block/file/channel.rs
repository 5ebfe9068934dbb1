//! One core's way into a file: what is accepted, what waits, what is sent.
//!
//! Aligned reads go to the ring at once; writes are gathered, shown on the board, and sent by
//! `flush_submissions` after one fence for all of them (see `exclusion.rs`).

use std::rc::Rc;
use std::sync::Arc;

use super::exclusion::Board;
use super::lane::Lane;
use super::offload::{Call, Offload};
use super::request::{Request, Stage};
use super::zeroes;
use super::{BOUNCE_LEN_MAX, FILE_DEPTH_MAX, Shared};
use crate::block::{Channel, Completions, DeviceEvent, Io, Op, TagTable, WaitSource};
use crate::core::Core;
use crate::error::{ErrorKind, SetupError};
use crate::memory::Segment;
use crate::ring::Arrival;

/// What the kernel may touch: kept until the last completion when the channel is dropped.
pub(super) struct Table {
    pub(super) requests: TagTable<Request>,
    /// Address vectors by slot, used again.
    pub(super) vectors: Vec<Vec<libc::iovec>>,
}

pub(super) struct FileChannel {
    pub(super) core: Rc<Core>,
    pub(super) shared: Arc<Shared>,
    pub(super) lane: Lane,
    /// For reads and writes, where the device's completions can be polled.
    pub(super) polled_lane: Option<Lane>,
    pub(super) table: Box<Table>,
    pub(super) board: Arc<Board>,
    /// Published writes that wait for the end of the turn.
    staged: Vec<u32>,
    /// Writes that wait for an exclusive range, or for their own.
    pub(super) blocked: Vec<u32>,
    pub(super) done: Completions,
    pub(super) batch: Vec<Arrival>,
    offload: Option<Offload>,
    size_seen: u64,
}

impl FileChannel {
    pub(super) fn open(core: Rc<Core>, shared: Arc<Shared>) -> Result<FileChannel, SetupError> {
        let Some(ops) = core.ops() else {
            let problem = "this core has no kernel below it";
            return Err(SetupError::new(&shared.name, problem, "open it on a real reactor"));
        };
        let lane = Lane::open(Rc::clone(ops.ring()), shared.fd(), &shared.name)?;
        let polled_lane = core.polled_ring_for(&shared.file, shared.geometry.offset_align);
        let polled_lane =
            polled_lane.map(|ring| Lane::open(ring, shared.fd(), &shared.name)).transpose()?;
        let table = Table { requests: TagTable::new(FILE_DEPTH_MAX), vectors: Vec::new() };
        let board = shared.exclusion.add_board(FILE_DEPTH_MAX);
        let size_seen = shared.size();
        Ok(FileChannel {
            core,
            shared,
            lane,
            polled_lane,
            table: Box::new(table),
            board,
            staged: Vec::with_capacity(FILE_DEPTH_MAX as usize),
            blocked: Vec::new(),
            done: Vec::with_capacity(64),
            batch: Vec::with_capacity(64),
            offload: None,
            size_seen,
        })
    }

    /// Why a request cannot be served at all, if so.
    fn refusal(&self, io: &Io) -> Option<(ErrorKind, String)> {
        let name = &self.shared.name;
        if self.shared.options.read_only && io.op.changes_medium() {
            return Some((ErrorKind::ReadOnly, format!("{name} is open read-only")));
        }
        let size = self.shared.size();
        if io.op.has_range() && io.offset.checked_add(io.len).is_none_or(|end| end > size) {
            return Some((ErrorKind::Range, format!("{name} ends at byte {size}")));
        }
        let carried = match io.op {
            Op::Read | Op::Write => io.len,
            Op::CompareAndWrite => io.len.saturating_mul(2),
            Op::ReservationIn | Op::ReservationOut => {
                return Some((ErrorKind::Unsupported, format!("{name} has no reservations")));
            }
            _ => 0,
        };
        (io.payload.len() != carried).then(|| {
            let has = io.payload.len();
            (ErrorKind::Range, format!("{has} bytes of memory for {carried} bytes"))
        })
    }

    /// True where the kernel takes the request as it is.
    #[inline]
    fn is_aligned(&self, io: &Io) -> bool {
        let geometry = &self.shared.geometry;
        let memory = u64::from(geometry.memory_align) - 1;
        let fits = |segment: &Segment| {
            segment.as_ptr() as u64 & memory == 0 && geometry.fits(u64::from(segment.len()))
        };
        geometry.fits(io.offset | io.len) && io.payload.segments().iter().all(fits)
    }

    /// How a request is served; an error where a bounce buffer is too small or not to be had.
    fn plan(&self, io: &Io) -> Result<Stage, (ErrorKind, String)> {
        match io.op {
            Op::Read | Op::Write if self.is_aligned(io) => Ok(Stage::Transfer),
            Op::Read => Ok(Stage::BounceRead { blocks: self.bounce(io)? }),
            Op::Write | Op::CompareAndWrite => {
                self.check_bounce(io)?;
                Ok(Stage::Claiming { claim: None })
            }
            Op::WriteZeroes if !self.shared.geometry.fits(io.offset | io.len) => {
                self.check_bounce(io)?;
                Ok(Stage::Claiming { claim: None })
            }
            Op::BlockStatus => Ok(Stage::Offloaded),
            _ => Ok(Stage::Simple),
        }
    }

    fn blocks_of(&self, io: &Io) -> (u64, u64) {
        let geometry = &self.shared.geometry;
        let start = geometry.round_down(io.offset);
        (start, geometry.round_up(io.offset + io.len) - start)
    }

    fn check_bounce(&self, io: &Io) -> Result<u32, (ErrorKind, String)> {
        let (_, len) = self.blocks_of(io);
        let align = self.shared.geometry.offset_align;
        u32::try_from(len).ok().filter(|&len| len <= BOUNCE_LEN_MAX).ok_or_else(|| {
            let words = format!(
                "requests that are not aligned to {align} bytes are served up to \
                 BOUNCE_LEN_MAX = {BOUNCE_LEN_MAX} bytes; align it or split it"
            );
            (ErrorKind::Range, words)
        })
    }

    /// Aligned memory for the blocks that a request touches.
    pub(super) fn bounce(&self, io: &Io) -> Result<Segment, (ErrorKind, String)> {
        let len = self.check_bounce(io)?;
        let lease = self.core.lease(len);
        lease.map(Segment::from).ok_or_else(|| {
            let words = format!("the arena has no {len} bytes for a bounce buffer; enlarge it");
            (ErrorKind::Transient, words)
        })
    }

    /// Sends a request that was just stored, or puts it where it waits.
    fn start(&mut self, slot: u32) {
        let request = self.table.requests.get_mut(slot).expect("just stored");
        match request.stage {
            Stage::Transfer | Stage::Simple if request.io.op.changes_medium() => {
                self.staged.push(slot);
            }
            Stage::Claiming { .. } => self.blocked.push(slot),
            Stage::Offloaded => {
                let (offset, len) = (request.io.offset, request.io.len);
                self.offload(slot, Call::Status { offset, len });
            }
            _ => self.send(slot),
        }
    }

    /// Hands a call that blocks to the helper thread.
    pub(super) fn offload(&mut self, slot: u32, call: Call) {
        if self.offload.is_none() {
            self.offload = Offload::start(Arc::clone(&self.shared), self.core.handle()).ok();
        }
        let sent = self.offload.as_ref().is_some_and(|offload| offload.call(slot, call));
        if !sent {
            self.fail(slot, ErrorKind::Transient, "the helper thread does not start".into());
        }
    }

    fn publish_staged(&mut self) {
        for &slot in &self.staged {
            let request = self.table.requests.get_mut(slot).expect("staged requests are stored");
            request.published = true;
            self.board.publish(slot, &request.range());
        }
    }

    /// Sends the gathered writes, except those that meet an exclusive range.
    fn send_staged(&mut self) {
        if self.staged.is_empty() {
            return;
        }
        self.publish_staged();
        let claims = self.shared.exclusion.any_claim();
        let staged = std::mem::take(&mut self.staged);
        for &slot in &staged {
            if claims && self.is_blocked(slot) {
                self.board.withdraw(slot);
                self.blocked.push(slot);
            } else {
                self.send(slot);
            }
        }
        self.staged = staged;
        self.staged.clear();
    }

    fn is_blocked(&mut self, slot: u32) -> bool {
        let request = self.table.requests.get(slot).expect("blocked requests are stored");
        self.shared.exclusion.blocks(&request.range())
    }

    /// Looks at what waits for exclusive ranges.
    pub(super) fn retry_blocked(&mut self) {
        if self.blocked.is_empty() {
            return;
        }
        let blocked = std::mem::take(&mut self.blocked);
        for slot in blocked {
            let request = self.table.requests.get(slot).expect("blocked requests are stored");
            match request.stage {
                Stage::Claiming { .. } => self.advance_claim(slot),
                _ => self.staged.push(slot),
            }
        }
    }

    fn take_answers(&mut self) {
        while let Some((slot, answer)) = self.offload.as_ref().and_then(Offload::pop) {
            self.answered(slot, answer);
        }
    }
}

impl Channel for FileChannel {
    #[inline]
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        if self.table.requests.is_full() {
            return Err(io);
        }
        if let Some((kind, words)) = self.refusal(&io) {
            self.done.push(io.failed(kind, words));
            return Ok(());
        }
        if io.len == 0 && io.op.has_range() {
            self.done.push(io.done());
            return Ok(());
        }
        match self.plan(&io) {
            Ok(stage) => {
                let stored = self.table.requests.insert(Request::new(io, stage));
                self.start(stored.unwrap_or_else(|_| unreachable!("checked above")));
            }
            Err((kind, words)) => self.done.push(io.failed(kind, words)),
        }
        Ok(())
    }

    fn flush_submissions(&mut self) {
        self.retry_blocked();
        self.send_staged();
    }

    #[inline]
    fn poll(&mut self, done: &mut Completions) {
        if let Some(lane) = &self.polled_lane
            && lane.in_flight() > 0
        {
            lane.ring().enter(0, None);
            lane.ring().reap();
        }
        self.take_arrivals();
        if self.offload.is_some() {
            self.take_answers();
        }
        if !self.blocked.is_empty() {
            self.flush_submissions();
        }
        done.append(&mut self.done);
    }

    fn in_flight(&self) -> u32 {
        self.table.requests.len() + self.done.len() as u32
    }

    fn wait_source(&self) -> WaitSource {
        let answers = self.offload.as_ref().is_some_and(Offload::has_answers);
        let polled = self.polled_lane.as_ref().is_some_and(|lane| lane.in_flight() > 0);
        if answers || polled || !self.done.is_empty() || !self.blocked.is_empty() {
            return WaitSource::Poll;
        }
        WaitSource::Ring
    }

    fn take_event(&mut self) -> Option<DeviceEvent> {
        let size = self.shared.size();
        let changed = size != std::mem::replace(&mut self.size_seen, size);
        changed.then_some(DeviceEvent::Resized { size })
    }
}

impl FileChannel {
    /// The ways to discard or zero, for the request in `slot`.
    pub(super) fn ways(&self, slot: u32) -> &'static [zeroes::Way] {
        let request = self.table.requests.get(slot).expect("a request in progress is stored");
        zeroes::ways(&request.io, &self.shared, self.core.features())
    }
}

/// What a dropped channel leaves until the kernel is done with it: the memory, the board that
/// keeps exclusive writes away from its writes, and its own exclusive ranges.
struct Kept {
    _table: Table,
    shared: Arc<Shared>,
    board: Arc<Board>,
    claims: Vec<u64>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.claims.iter().for_each(|&claim| self.shared.exclusion.release(claim));
        self.shared.exclusion.remove_board(&self.board);
    }
}

impl Drop for FileChannel {
    fn drop(&mut self) {
        let claims = self.table.requests.iter_mut().filter_map(|(_, r)| r.claim()).collect();
        let none = Table { requests: TagTable::new(0), vectors: Vec::new() };
        let table = std::mem::replace(&mut *self.table, none);
        let (shared, board) = (Arc::clone(&self.shared), Arc::clone(&self.board));
        let kept = Rc::new(Kept { _table: table, shared, board, claims });
        // Both lanes may still use the memory: each holds it.
        if let Some(lane) = &self.polled_lane {
            lane.close(Box::new(Rc::clone(&kept)));
        }
        self.lane.close(Box::new(kept));
    }
}

//! One core's way into a file.
//!
//! Invariants: a request whose bytes lie in one known extent is one request of the device, and costs
//! no message, no allocation and no atomic beyond plain loads; every other request is a
//! [`Work`](super::work). What the channel was told to forget it uses no more, and says so only when
//! nothing is in flight there. A write into granted blocks completes after the home was told.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TrySendError};

use byway_engine::block::{
    Channel, Completion, Completions, DeviceEvent, Io, Op, TagTable, WaitSource,
};
use byway_engine::core::{Core, Polled};
use byway_engine::error::ErrorKind;

use super::cached::{FETCHES_MAX, Reader};
use super::map::{Map, Target};
use super::message::{ChannelId, ToChannel, ToHome};
use super::shared::Shared;
use super::spread::Lists;
use super::work::Work;
use crate::format::BLOCK_LEN;

pub(super) const BLOCK: u64 = BLOCK_LEN as u64;

/// A request of the device.
pub(super) enum Pending {
    /// A whole request of the submitter.
    Direct { tag: u64, offset: u64, len: u64, tells: bool },
    /// A piece of a work: its place in the payload, its place in the file, and whether it fills
    /// granted blocks. `tells`, here and above: copies of its blocks are unused meanwhile.
    Piece { work: u32, at: u64, offset: u64, len: u64, granted: bool, tells: bool },
}

impl Pending {
    fn touches(&self, blocks: &Range<u64>) -> bool {
        let (Pending::Direct { offset, len, .. } | Pending::Piece { offset, len, .. }) = *self;
        offset / BLOCK < blocks.end && (offset + len).div_ceil(BLOCK) > blocks.start
    }
}

/// What the core's turns and the submitter share.
pub(super) struct State {
    pub(super) shared: Arc<Shared>,
    pub(super) id: ChannelId,
    pub(super) read_only: bool,
    pub(super) below: Box<dyn Channel>,
    pub(super) map: Map,
    pub(super) pending: TagTable<Pending>,
    pub(super) works: TagTable<Box<Work>>,
    #[expect(clippy::vec_box, reason = "works move between here and the table")]
    pub(super) spare: Vec<Box<Work>>,
    pub(super) lists: Lists,
    /// Pieces that the device had no room for.
    pub(super) waiting: VecDeque<Io>,
    /// Works that wait for room among the requests of the device.
    pub(super) stalled: VecDeque<u32>,
    /// Messages that the home had no room for.
    outbox: VecDeque<ToHome>,
    inbox: Receiver<ToChannel>,
    /// Works that are done.
    pub(super) done: Completions,
    scratch: Completions,
    /// What is to be forgotten as soon as nothing is in flight there.
    pub(super) forgetting: Vec<(u64, Range<u64>)>,
    pub(super) reader: Reader,
    pub(super) beside: Beside,
    /// Flushes that the home was asked for.
    pub(super) flushes: u32,
    seen_size: u64,
    pub(super) is_closing: bool,
}

/// What the channel does for itself.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) works: u32,
    pub(super) pieces: u32,
}

/// The channel as its submitter has it.
pub(super) struct FileChannel(Rc<Shelf>);

/// The state, where the core finds it in every turn.
struct Shelf {
    state: RefCell<State>,
    me: Weak<Shelf>,
}

impl FileChannel {
    pub(super) fn open(
        core: &Rc<Core>,
        shared: Arc<Shared>,
        id: ChannelId,
        read_only: bool,
        below: Box<dyn Channel>,
        inbox: Receiver<ToChannel>,
    ) -> FileChannel {
        let depth = shared.depth();
        let state = State {
            id,
            read_only,
            below,
            map: Map::new(),
            pending: TagTable::new(2 * depth + FETCHES_MAX),
            works: TagTable::new(depth + FETCHES_MAX),
            spare: Vec::with_capacity(depth as usize),
            lists: Lists::new(),
            waiting: VecDeque::new(),
            stalled: VecDeque::new(),
            outbox: VecDeque::new(),
            inbox,
            done: Vec::with_capacity(depth as usize),
            scratch: Vec::with_capacity(depth as usize),
            forgetting: Vec::new(),
            reader: Reader::new(Rc::clone(core)),
            beside: Beside::default(),
            flushes: 0,
            seen_size: shared.device_size(),
            is_closing: false,
            shared,
        };
        let shelf = Rc::new_cyclic(|me| Shelf { state: RefCell::new(state), me: Weak::clone(me) });
        core.add_polled(Rc::clone(&shelf) as Rc<dyn Polled>);
        FileChannel(shelf)
    }

    pub(super) fn tell(&self, message: ToHome) {
        self.0.state.borrow_mut().tell(message);
    }
}

impl State {
    #[inline]
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        if io.op == Op::Read && self.shared.facts.stamps.is_on() {
            return self.submit_cached(io);
        }
        if let Op::Read | Op::Write = io.op
            && let Some(by) = self.direct_place(&io)
        {
            return self.submit_direct(io, by);
        }
        self.submit_rare(io)
    }

    /// How far the device's offset is from the file's, where the request is one of the device.
    #[inline]
    fn direct_place(&mut self, io: &Io) -> Option<u64> {
        let end = io.offset.checked_add(io.len)?;
        if end > self.shared.device_size() {
            return None;
        }
        let entry = self.map.find(io.offset / BLOCK)?;
        let Target::Disk { bno, writable, fresh } = entry.target else { return None };
        let may = io.op == Op::Read || (writable && !(io.fua && fresh > 0));
        // It wraps where a block lies nearer to the start of the device than of the file.
        (may && end <= entry.end() * BLOCK)
            .then(|| bno.wrapping_sub(entry.first).wrapping_mul(BLOCK))
    }

    #[inline]
    fn submit_direct(&mut self, mut io: Io, by: u64) -> Result<(), Io> {
        let (tag, offset) = (io.tag, io.offset);
        if self.in_flight() >= self.shared.depth() {
            return Err(io);
        }
        let (len, is_write) = (io.len, io.op == Op::Write);
        let tells = is_write && self.shared.facts.stamps.must_tell();
        let pending = Pending::Direct { tag, offset, len, tells };
        let Ok(own) = self.pending.insert(pending) else { return Err(io) };
        if is_write {
            self.shared.note_write();
        }
        if tells {
            self.shared.facts.stamps.begin(&blocks_of(offset, len));
        }
        io.tag = u64::from(own);
        io.offset = offset.wrapping_add(by);
        self.below.submit(io).map_err(|io| {
            self.pending.remove(own);
            if tells {
                self.shared.facts.stamps.end(&blocks_of(offset, len));
            }
            Io { tag, offset, ..io }
        })
    }

    /// A flush where the device's own is enough.
    pub(super) fn submit_flush(&mut self, io: Io) -> Result<(), Io> {
        let tag = io.tag;
        let pending = Pending::Direct { tag, offset: 0, len: 0, tells: false };
        let Ok(own) = self.pending.insert(pending) else { return Err(io) };
        self.below.submit(io.with_tag(u64::from(own))).map_err(|io| {
            self.pending.remove(own);
            io.with_tag(tag)
        })
    }

    pub(super) fn in_flight(&self) -> u32 {
        let waiting = (self.done.len() + self.reader.parked.len()) as u32;
        let all = self.pending.len() + self.works.len() + waiting;
        all - self.beside.works - self.beside.pieces
    }

    /// Sends a message to the home, or keeps it until there is room.
    pub(super) fn tell(&mut self, message: ToHome) {
        self.outbox.push_back(message);
        self.send();
    }

    fn send(&mut self) {
        let mut sent = false;
        while let Some(message) = self.outbox.pop_front() {
            match self.shared.to_home().try_send(message) {
                Ok(()) => sent = true,
                Err(TrySendError::Full(message)) => {
                    self.outbox.push_front(message);
                    break;
                }
                // The home is gone with its volume: nobody waits for what it is told, and what it
                // is asked is refused by the volume's end.
                Err(TrySendError::Disconnected(message)) => self.refuse(message),
            }
        }
        if sent {
            self.shared.wake_home();
        }
    }

    fn refuse(&mut self, message: ToHome) {
        if let ToHome::Ask(asker, _) = message {
            self.fail_work(asker.work, ErrorKind::PathLost, &crate::store::FsError::Stale);
        }
    }

    fn flush_submissions(&mut self) {
        while let Some(io) = self.waiting.pop_front() {
            if let Err(io) = self.below.submit(io) {
                self.waiting.push_front(io);
                break;
            }
        }
        self.below.flush_submissions();
    }

    fn poll(&mut self, done: &mut Completions) {
        self.hear();
        let start = done.len();
        self.below.poll(done);
        let mut at = start;
        while at < done.len() {
            let own = done[at].tag as u32;
            let pending = self.pending.remove(own).expect("the device completes what it was given");
            self.tell_written(&pending);
            match pending {
                Pending::Direct { tag, offset, .. } => {
                    set_back(&mut done[at], tag, offset);
                    at += 1;
                }
                Pending::Piece { work, at: place, offset, len, granted, .. } => {
                    let piece = done.swap_remove(at);
                    self.piece_back(work, place, offset..offset + len, granted, piece);
                }
            }
        }
        self.after_poll();
        // What was granted and is written must be known to the home before it is complete.
        if self.outbox.is_empty() {
            done.append(&mut self.done);
        }
    }

    /// Copies from before a write that is over are stale.
    #[inline]
    fn tell_written(&self, pending: &Pending) {
        let (Pending::Direct { offset, len, tells, .. }
        | Pending::Piece { offset, len, tells, .. }) = *pending;
        if tells {
            self.shared.facts.stamps.end(&blocks_of(offset, len));
        }
    }

    fn after_poll(&mut self) {
        if !self.waiting.is_empty() {
            self.flush_submissions();
        }
        if !self.stalled.is_empty() {
            self.resume();
        }
        if !self.outbox.is_empty() {
            self.send();
        }
        if !self.forgetting.is_empty() {
            self.report_forgotten();
        }
    }

    /// Looks after what the submitter does not: messages, and the device while somebody waits for
    /// this channel's requests.
    fn turn(&mut self) {
        self.hear();
        if self.is_closing || !self.forgetting.is_empty() {
            let mut done = std::mem::take(&mut self.scratch);
            self.poll(&mut done);
            self.done.append(&mut done);
            self.scratch = done;
            self.below.flush_submissions();
        }
        self.send();
    }

    fn hear(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            match message {
                ToChannel::Mapped { work, given, lasting } => self.mapped(work, given, lasting),
                ToChannel::Done { work, result } => self.answered(work, result),
                ToChannel::Forget { number, blocks } => {
                    self.map.forget(blocks.clone());
                    self.take_back_given();
                    self.forgetting.push((number, blocks));
                    self.report_forgotten();
                }
            }
        }
    }

    /// Tells of every range that nothing is in flight on any more.
    fn report_forgotten(&mut self) {
        let mut at = 0;
        while at < self.forgetting.len() {
            let blocks = &self.forgetting[at].1;
            if self.pending.iter_mut().any(|(_, pending)| pending.touches(blocks)) {
                at += 1;
                continue;
            }
            let (number, _) = self.forgetting.swap_remove(at);
            self.outbox.push_back(ToHome::Forgotten(self.id, number));
        }
        self.send();
    }

    fn wait_source(&self) -> WaitSource {
        if !self.done.is_empty() || !self.outbox.is_empty() || !self.waiting.is_empty() {
            return WaitSource::Poll;
        }
        if self.pending.is_empty() { WaitSource::Ring } else { self.below.wait_source() }
    }

    /// True where the channel is closed and the home knows.
    fn is_over(&mut self) -> bool {
        if !self.is_closing || !self.pending.is_empty() {
            return false;
        }
        if self.works.is_empty() && self.outbox.is_empty() {
            let close = ToHome::Close(self.id);
            self.tell(close);
            return true;
        }
        false
    }
}

impl Channel for FileChannel {
    #[inline]
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        self.0.state.borrow_mut().submit(io)
    }

    fn flush_submissions(&mut self) {
        self.0.state.borrow_mut().flush_submissions();
    }

    fn poll(&mut self, done: &mut Completions) {
        self.0.state.borrow_mut().poll(done);
    }

    fn in_flight(&self) -> u32 {
        self.0.state.borrow().in_flight()
    }

    fn wait_source(&self) -> WaitSource {
        self.0.state.borrow().wait_source()
    }

    fn take_event(&mut self) -> Option<DeviceEvent> {
        let mut state = self.0.state.borrow_mut();
        let size = state.shared.device_size();
        let before = std::mem::replace(&mut state.seen_size, size);
        (before != size).then_some(DeviceEvent::Resized { size })
    }
}

impl Drop for FileChannel {
    fn drop(&mut self) {
        // What is in flight ends first; the core looks after it until then.
        self.0.state.borrow_mut().is_closing = true;
    }
}

impl Polled for Shelf {
    fn flush(&self) {}

    fn poll(&self, core: &Rc<Core>) -> usize {
        let mut state = self.state.borrow_mut();
        state.turn();
        if state.is_over() {
            drop(state);
            let me = self.me.upgrade().expect("the core's turn holds it");
            core.remove_polled(&(me as Rc<dyn Polled>));
        }
        0
    }

    fn wait_source(&self) -> Option<WaitSource> {
        let state = self.state.borrow();
        let looks = state.is_closing || !state.forgetting.is_empty() || !state.outbox.is_empty();
        looks.then(|| state.wait_source())
    }
}

/// The blocks that bytes touch.
pub(super) fn blocks_of(offset: u64, len: u64) -> Range<u64> {
    offset / BLOCK..(offset + len).div_ceil(BLOCK)
}

fn set_back(completion: &mut Completion, tag: u64, offset: u64) {
    completion.tag = tag;
    if let Err(error) = &mut completion.result
        && error.op.has_range()
    {
        error.offset = offset;
    }
}

//! The transmission phase of a client: which requests are out, and what the server's bytes mean.
//!
//! Invariants: a request ends once, and only when every byte of a read has arrived exactly once; a
//! cookie is the slot with its generation above it, so a late or invented reply finds nobody; after a
//! fault nothing more is believed. A slot is free again when the caller releases it, not before.
//! Read NBD, 'Transmission phase' and 'Structured reply chunk message' first.

use alloc::string::String;
use alloc::vec::Vec;

use super::coverage::{Coverage, Misfit};
use super::error::ReplyFault;
use super::head::{self, Body, Head};
use crate::nbd::Headers;
use crate::nbd::command::Command;
use crate::nbd::errno::NbdErrno;
use crate::nbd::extent::Extent;
use crate::nbd::flags::CommandFlags;
use crate::nbd::request::Request;

pub use super::head::{BODY_LEN_MAX, RequestHead};

/// The most extents of one answer that are kept; the answer ends before those behind them.
pub const EXTENTS_MAX: usize = 1 << 16;

/// Bytes of a read that come next on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Data {
    /// The request's slot.
    pub slot: u16,
    /// Where they belong, from the start of the request.
    pub at: u64,
    /// How many.
    pub len: u64,
}

/// A request's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ended {
    /// The request's slot, until it is released.
    pub slot: u16,
    /// The server's errno where it refused or failed (NBD, 'Error values').
    pub error: Option<NbdErrno>,
}

/// What some bytes have meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Nothing by themselves: give more.
    Nothing,
    /// Payload of a read comes next: put it where it belongs, then say so with
    /// [`Transmission::arrived`].
    Data(Data),
    /// So many bytes of a request read as zeroes: write them, nothing comes for them.
    Zeroes(Data, Option<Ended>),
    /// A request ended.
    Ended(Ended),
}

/// How many bytes are used up, and what they have meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// Bytes to drop; zero where what is there is not yet a whole.
    pub used: usize,
    /// What they have meant.
    pub event: Event,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum SlotState {
    Free,
    /// The server has it.
    Out,
    /// It ended, and waits to be released.
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Slot {
    state: SlotState,
    generation: u32,
    command: Command,
    offset: u64,
    len: u64,
    error: Option<NbdErrno>,
    text: String,
    coverage: Coverage,
    extents: Vec<Extent>,
    /// Bytes that the extents tell of; nothing before they have come.
    told: Option<u64>,
}

/// What the next byte belongs to.
///
/// ```text
/// Head ──data chunk──▶ Data ──last byte──▶ Head
///   ├──block status──▶ Extents ──last one─▶ Head
///   └──fault──▶ Over (from any state)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Head,
    Data { data: Data, is_last: bool },
    Extents { slot: u16, left: u64, is_wide: bool, is_last: bool },
    Over(ReplyFault),
}

/// The transmission phase of one connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transmission {
    headers: Headers,
    context: Option<u32>,
    slots: Vec<Slot>,
    free: Vec<u16>,
    state: State,
}

impl Transmission {
    /// Nothing is out; up to `depth` requests may be. `context` is the identifier of
    /// `base:allocation` where it was selected.
    pub fn new(headers: Headers, context: Option<u32>, depth: u16) -> Transmission {
        let slot = || Slot {
            state: SlotState::Free,
            generation: 0,
            command: Command::Read,
            offset: 0,
            len: 0,
            error: None,
            text: String::new(),
            coverage: Coverage::default(),
            extents: Vec::new(),
            told: None,
        };
        Transmission {
            headers,
            context,
            slots: (0..depth).map(|_| slot()).collect(),
            free: (0..depth).rev().collect(),
            state: State::Head,
        }
    }

    /// Starts anew on another connection: every slot is free, and older cookies mean nothing.
    pub fn restart(&mut self, headers: Headers, context: Option<u32>) {
        (self.headers, self.context, self.state) = (headers, context, State::Head);
        for slot in 0..self.slots.len() as u16 {
            if self.slots[usize::from(slot)].state != SlotState::Free {
                self.release(slot);
            }
        }
    }

    /// Requests that are out or not released.
    pub fn in_flight(&self) -> u16 {
        (self.slots.len() - self.free.len()) as u16
    }

    /// True where another request can be sent.
    #[inline]
    pub fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// Why nothing more is believed, where that is so.
    pub fn fault(&self) -> Option<ReplyFault> {
        match self.state {
            State::Over(fault) => Some(fault),
            _ => None,
        }
    }

    /// Takes a slot for a request and answers it with the bytes that open the request on the wire;
    /// a write's payload follows them. Nothing where all slots are taken.
    #[inline]
    pub fn begin(
        &mut self,
        command: Command,
        flags: CommandFlags,
        offset: u64,
        len: u64,
    ) -> Option<(u16, RequestHead)> {
        let index = self.free.pop()?;
        let slot = &mut self.slots[usize::from(index)];
        assert_eq!(slot.state, SlotState::Free, "the free list names free slots");
        slot.generation = slot.generation.wrapping_add(1);
        (slot.state, slot.command, slot.offset, slot.len) = (SlotState::Out, command, offset, len);
        let cookie = u64::from(slot.generation) << 32 | u64::from(index);
        let request = Request { flags, command, cookie, offset, len };
        Some((index, head::encode(request, self.headers)))
    }

    /// Frees the slot of a request that ended, or whose connection did.
    ///
    /// # Panics
    /// When the slot is free: a bug of the caller.
    #[inline]
    pub fn release(&mut self, slot: u16) {
        let freed = &mut self.slots[usize::from(slot)];
        assert_ne!(freed.state, SlotState::Free, "a slot is released once");
        freed.state = SlotState::Free;
        freed.error = None;
        freed.told = None;
        freed.coverage.clear();
        freed.text.clear();
        freed.extents.clear();
        self.free.push(slot);
    }

    /// What the server said about the failure of a request, printable; empty where nothing.
    pub fn text(&self, slot: u16) -> &str {
        &self.slots[usize::from(slot)].text
    }

    /// The answer to a block status that ended well, in `base:allocation`: extents that follow each
    /// other from the request's offset on, within the request. They may end before it does.
    pub fn take_extents(&mut self, slot: u16) -> Vec<Extent> {
        core::mem::take(&mut self.slots[usize::from(slot)].extents)
    }

    /// The payload that comes next on the wire, where payload does.
    #[inline]
    pub fn data(&self) -> Option<Data> {
        match self.state {
            State::Data { data, .. } => Some(data),
            _ => None,
        }
    }

    /// The first `len` bytes of [`Transmission::data`] are where they belong; answers the end of the
    /// request where they were the last.
    ///
    /// # Errors
    /// Where the server calls a read complete that is not.
    ///
    /// # Panics
    /// When so many were not due: a bug of the caller.
    #[inline]
    pub fn arrived(&mut self, len: u64) -> Result<Option<Ended>, ReplyFault> {
        let State::Data { data, is_last } = &mut self.state else {
            panic!("no payload is due");
        };
        assert!(len <= data.len, "more payload than is due");
        data.at += len;
        data.len -= len;
        if data.len > 0 {
            return Ok(None);
        }
        let (slot, is_last) = (data.slot, *is_last);
        self.state = State::Head;
        self.close(slot, is_last)
    }

    /// Looks at the first bytes of what the server sent, which are never payload of a read.
    ///
    /// # Errors
    /// Where the server breaks the protocol: the connection is to be closed, and what is out has
    /// not ended.
    ///
    /// # Panics
    /// When payload is due: a bug of the caller.
    #[inline]
    pub fn take(&mut self, bytes: &[u8]) -> Result<Step, ReplyFault> {
        let taken = match self.state {
            State::Head => self.take_head(bytes),
            State::Extents { slot, left, is_wide, is_last } => {
                self.take_extent(bytes, slot, left, is_wide, is_last)
            }
            State::Data { .. } => panic!("payload is due"),
            State::Over(fault) => Err(fault),
        };
        taken.inspect_err(|fault| self.state = State::Over(*fault))
    }

    fn take_head(&mut self, bytes: &[u8]) -> Result<Step, ReplyFault> {
        let Some((head, used)) = head::decode(bytes, self.headers)? else {
            return Ok(Step { used: 0, event: Event::Nothing });
        };
        let slot = self.find(head.cookie())?;
        let event = match head {
            Head::Simple { error, .. } => self.simple(slot, error)?,
            Head::Chunk { body, is_last, offset, .. } => {
                let asked = self.slots[usize::from(slot)].offset;
                if offset.is_some_and(|offset| offset != asked) {
                    return Err(ReplyFault::ForeignOffset);
                }
                self.chunk(slot, body, is_last)?
            }
        };
        Ok(Step { used, event })
    }

    /// The slot of a cookie whose request is out.
    #[inline]
    fn find(&self, cookie: u64) -> Result<u16, ReplyFault> {
        let index = cookie as u32;
        let slot = self.slots.get(index as usize);
        let is_it = |slot: &&Slot| {
            slot.state == SlotState::Out && u64::from(slot.generation) == cookie >> 32
        };
        slot.filter(is_it).map(|_| index as u16).ok_or(ReplyFault::UnknownCookie)
    }

    fn simple(&mut self, index: u16, error: Option<NbdErrno>) -> Result<Event, ReplyFault> {
        let slot = &mut self.slots[usize::from(index)];
        if slot.command == Command::Read && self.headers != Headers::Simple {
            return Err(ReplyFault::SimpleRead);
        }
        if error.is_some() {
            slot.error = error;
            return self.ended(index).map(Event::Ended);
        }
        if slot.command == Command::BlockStatus {
            return Err(ReplyFault::NoStatus);
        }
        if slot.command != Command::Read {
            return self.ended(index).map(Event::Ended);
        }
        let len = slot.len;
        self.data_follows(index, 0, len, true)
    }

    fn chunk(&mut self, index: u16, body: Body<'_>, is_last: bool) -> Result<Event, ReplyFault> {
        match body {
            Body::None if !is_last => Err(ReplyFault::NoneNotLast),
            Body::None => self.ended(index).map(Event::Ended),
            Body::Data { offset, len } => {
                let at = self.place(index, offset, len)?;
                self.data_follows(index, at, len, is_last)
            }
            Body::Hole { offset, len } => {
                let at = self.place(index, offset, len)?;
                self.cover(index, at, len)?;
                let ended = self.close(index, is_last)?;
                Ok(Event::Zeroes(Data { slot: index, at, len }, ended))
            }
            Body::Status { context, left, is_wide } => {
                self.status(index, context, left, is_wide, is_last)
            }
            Body::Error { error, text, offset } => {
                self.failed(index, error, text, offset)?;
                Ok(self.close(index, is_last)?.map_or(Event::Nothing, Event::Ended))
            }
        }
    }

    /// Where content for `offset` belongs, from the start of the read.
    fn place(&self, index: u16, offset: u64, len: u64) -> Result<u64, ReplyFault> {
        let slot = &self.slots[usize::from(index)];
        if slot.command != Command::Read {
            return Err(ReplyFault::ForeignContent);
        }
        let at = offset.checked_sub(slot.offset).ok_or(ReplyFault::OutOfRequest)?;
        let is_inside = at.checked_add(len).is_some_and(|end| end <= slot.len);
        if is_inside { Ok(at) } else { Err(ReplyFault::OutOfRequest) }
    }

    fn cover(&mut self, index: u16, at: u64, len: u64) -> Result<(), ReplyFault> {
        let covered = self.slots[usize::from(index)].coverage.add(at, at + len);
        covered.map_err(|misfit| match misfit {
            Misfit::Overlap => ReplyFault::Overlap,
            Misfit::TooMany => ReplyFault::TooManyPieces,
        })
    }

    #[inline]
    fn data_follows(
        &mut self,
        index: u16,
        at: u64,
        len: u64,
        is_last: bool,
    ) -> Result<Event, ReplyFault> {
        self.cover(index, at, len)?;
        let data = Data { slot: index, at, len };
        self.state = State::Data { data, is_last };
        Ok(Event::Data(data))
    }

    fn failed(
        &mut self,
        index: u16,
        error: NbdErrno,
        text: &[u8],
        offset: Option<u64>,
    ) -> Result<(), ReplyFault> {
        let slot = &mut self.slots[usize::from(index)];
        let is_inside = |offset: u64| offset >= slot.offset && offset - slot.offset <= slot.len;
        if offset.is_some_and(|offset| !is_inside(offset)) {
            return Err(ReplyFault::OutOfRequest);
        }
        if slot.error.is_none() {
            slot.error = Some(error);
            let text = String::from_utf8_lossy(text);
            slot.text.extend(text.chars().flat_map(char::escape_debug));
        }
        Ok(())
    }

    fn status(
        &mut self,
        index: u16,
        context: u32,
        left: u64,
        is_wide: bool,
        is_last: bool,
    ) -> Result<Event, ReplyFault> {
        let slot = &mut self.slots[usize::from(index)];
        if slot.command != Command::BlockStatus {
            return Err(ReplyFault::ForeignContent);
        }
        if self.context != Some(context) || is_wide != (self.headers == Headers::Extended) {
            return Err(ReplyFault::ForeignContext);
        }
        if slot.told.replace(0).is_some() {
            return Err(ReplyFault::Overlap);
        }
        self.state = State::Extents { slot: index, left, is_wide, is_last };
        Ok(Event::Nothing)
    }

    fn take_extent(
        &mut self,
        bytes: &[u8],
        index: u16,
        left: u64,
        is_wide: bool,
        is_last: bool,
    ) -> Result<Step, ReplyFault> {
        let Some((extent, used)) = head::extent(bytes, is_wide) else {
            return Ok(Step { used: 0, event: Event::Nothing });
        };
        if extent.len == 0 {
            return Err(ReplyFault::EmptyContent);
        }
        let slot = &mut self.slots[usize::from(index)];
        let told = slot.told.get_or_insert(0);
        let len = extent.len.min(slot.len - *told);
        if len > 0 && slot.extents.len() < EXTENTS_MAX {
            *told += len;
            slot.extents.push(Extent { len, ..extent });
        }
        let left = left - used as u64;
        if left > 0 {
            self.state = State::Extents { slot: index, left, is_wide, is_last };
            return Ok(Step { used, event: Event::Nothing });
        }
        self.state = State::Head;
        let ended = self.close(index, is_last)?;
        Ok(Step { used, event: ended.map_or(Event::Nothing, Event::Ended) })
    }

    /// A chunk is over; with the last one its request is.
    #[inline]
    fn close(&mut self, index: u16, is_last: bool) -> Result<Option<Ended>, ReplyFault> {
        if !is_last {
            return Ok(None);
        }
        let ended = self.ended(index);
        ended.map(Some).inspect_err(|fault| self.state = State::Over(*fault))
    }

    /// Ends a request, where what the server sent for it is whole.
    #[inline]
    fn ended(&mut self, index: u16) -> Result<Ended, ReplyFault> {
        let slot = &mut self.slots[usize::from(index)];
        if slot.error.is_none() {
            match slot.command {
                Command::Read if !slot.coverage.is_whole(slot.len) => {
                    return Err(ReplyFault::Missing);
                }
                Command::BlockStatus if slot.extents.is_empty() => {
                    return Err(ReplyFault::NoStatus);
                }
                _ => {}
            }
        }
        slot.state = SlotState::Ended;
        Ok(Ended { slot: index, error: slot.error })
    }
}

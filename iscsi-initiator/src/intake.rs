//! From bytes to the session machine: heads, data to their place, tails with digests.

use std::cell::RefCell;

use byway_engine::memory::{Crc32c, Segment};
use byway_engine::net::Inbox;
use byway_proto::iscsi::framing::{Framer, Next};
use byway_proto::iscsi::initiator::{DataOutcome, Failure, Receive, Session, TaskId};

use crate::flight::{Flight, STRIP_LEN_MIN};

/// Where the data segment that is arriving goes.
enum Place {
    Nowhere,
    Inline,
    Task { task: TaskId, offset: u32 },
}

/// The receiving side of a connection.
pub(crate) struct Intake {
    framer: Framer,
    place: Place,
    inline: Vec<u8>,
    /// The sum of the data segment, where digests are sent.
    crc: Option<Crc32c>,
    data_digest: bool,
    /// The last bytes of a data segment went straight to their place; the session does not know yet.
    has_ended: bool,
}

impl Intake {
    pub(crate) fn new(header_digest: bool, data_digest: bool) -> Intake {
        let framer = Framer::new(header_digest, data_digest);
        Intake {
            framer,
            place: Place::Nowhere,
            inline: Vec::new(),
            crc: None,
            data_digest,
            has_ended: false,
        }
    }

    /// Hands everything that is there to the session; false where that is over.
    pub(crate) fn run(
        &mut self,
        session: &mut Session,
        inbox: &mut Inbox,
        flights: &RefCell<Vec<Flight>>,
        now: u64,
    ) -> bool {
        if std::mem::take(&mut self.has_ended) && !self.ended(session, DataOutcome::Arrived, now) {
            return false;
        }
        loop {
            let bytes = inbox.bytes();
            let used = match self.framer.next() {
                Next::Head => {
                    let len = self.framer.head_len(bytes);
                    if bytes.len() < len {
                        return true;
                    }
                    if !self.head(session, &bytes[..len], now) {
                        return false;
                    }
                    len
                }
                Next::Data(_) if bytes.is_empty() => return true,
                Next::Data(left) => {
                    let len = bytes.len().min(left as usize);
                    self.data(&bytes[..len], flights);
                    if !self.data_ended(session, len as u32, now) {
                        return false;
                    }
                    len
                }
                Next::Tail(len) if bytes.len() < len as usize => return true,
                Next::Tail(len) => {
                    if !self.tail(session, &bytes[..len as usize], now) {
                        return false;
                    }
                    len as usize
                }
            };
            inbox.consume(used);
        }
    }

    #[inline]
    fn head(&mut self, session: &mut Session, bytes: &[u8], now: u64) -> bool {
        let Ok(bhs) = self.framer.head(bytes, Crc32c::of) else {
            session.fail(Failure::HeaderDigest);
            return false;
        };
        match session.handle_header(&bhs, now) {
            Ok(Receive::Nothing) => self.place = Place::Nowhere,
            Ok(Receive::Task { task, offset, .. }) => self.place = Place::Task { task, offset },
            Ok(Receive::Inline { .. }) => {
                self.inline.clear();
                self.place = Place::Inline;
            }
            Err(error) => {
                tracing::warn!(%error, "the target broke the protocol");
                return false;
            }
        }
        self.crc = self.data_digest.then(Crc32c::new);
        true
    }

    #[inline]
    fn data(&mut self, bytes: &[u8], flights: &RefCell<Vec<Flight>>) {
        if let Some(crc) = &mut self.crc {
            crc.update(bytes);
        }
        match &mut self.place {
            Place::Nowhere => {}
            Place::Inline => self.inline.extend_from_slice(bytes),
            Place::Task { task, offset } => {
                match &mut flights.borrow_mut()[usize::from(task.slot())] {
                    Flight::Io(io) => io.fill(*offset, bytes),
                    Flight::Control(control) => control.fill(*offset, bytes),
                    Flight::Free => unreachable!("the session knows its tasks"),
                }
                *offset += bytes.len() as u32;
            }
        }
    }

    /// `len` bytes of the data segment were taken; tells the session where that was the end.
    #[inline]
    fn data_ended(&mut self, session: &mut Session, len: u32, now: u64) -> bool {
        self.framer.data(len);
        self.framer.next() != Next::Head || self.ended(session, DataOutcome::Arrived, now)
    }

    #[inline]
    fn tail(&mut self, session: &mut Session, bytes: &[u8], now: u64) -> bool {
        let crc = self.crc;
        let is_right = self.framer.tail(bytes, |padding| {
            let mut crc = crc.expect("digests are sent");
            crc.update(padding);
            crc.value()
        });
        let outcome = if is_right { DataOutcome::Arrived } else { DataOutcome::DigestError };
        self.ended(session, outcome, now)
    }

    fn ended(&mut self, session: &mut Session, outcome: DataOutcome, now: u64) -> bool {
        match session.handle_data(outcome, &self.inline, now) {
            Ok(()) => !session.state().is_over(),
            Err(error) => {
                tracing::warn!(%error, "the target broke the protocol");
                false
            }
        }
    }

    /// The part of a buffer that the next bytes go straight into: where a long run of data is due
    /// and nothing is left in the inbox.
    pub(crate) fn direct(
        &mut self,
        inbox: &Inbox,
        flights: &RefCell<Vec<Flight>>,
    ) -> Option<Segment> {
        let (Next::Data(left), Place::Task { task, .. }) = (self.framer.next(), &self.place) else {
            return None;
        };
        if left < STRIP_LEN_MIN || !inbox.bytes().is_empty() {
            return None;
        }
        match &mut flights.borrow_mut()[usize::from(task.slot())] {
            Flight::Io(io) => io.take_part(left),
            _ => None,
        }
    }

    /// The first `got` bytes of the part have arrived. The session learns of an end of the segment
    /// with the next run.
    pub(crate) fn direct_arrived(
        &mut self,
        part: Segment,
        got: u32,
        flights: &RefCell<Vec<Flight>>,
    ) {
        let Place::Task { task, offset } = &mut self.place else {
            unreachable!("a part goes to a task")
        };
        if let Some(crc) = &mut self.crc {
            crc.update_segment(&part, 0, got);
        }
        *offset += got;
        let Flight::Io(io) = &mut flights.borrow_mut()[usize::from(task.slot())] else {
            unreachable!("a part belongs to a request")
        };
        io.put_part(part, got);
        if got > 0 {
            self.framer.data(got);
            self.has_ended = self.framer.next() == Next::Head;
        }
    }
}

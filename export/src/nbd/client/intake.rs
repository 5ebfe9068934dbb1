//! From bytes to the machine: heads of replies, payload to its place, extents to their asker.

use byway_engine::block::{Completion, Extent, ExtentKind, Io, Outcome};
use byway_engine::core::PollMode;
use byway_engine::memory::Segment;
use byway_engine::net::{Inbox, Stream};
use byway_proto::nbd::client::{Data, Ended, Event, ReplyFault, Transmission};
use byway_proto::nbd::extent;
use byway_proto::nbd::flags::ExtentFlags;

use super::line::Line;
use super::pace::Pace;
use super::send::CARVE_LEN_MIN;

/// What holes are filled with.
static ZEROES: [u8; 64 << 10] = [0; 64 << 10];

impl Line {
    /// Receives until the connection is over; then every buffer is back.
    pub(crate) async fn receive(&self, stream: &Stream, inbox: &mut Inbox) {
        let mut pace = Pace::default();
        let is_spinning = self.core.config().poll_mode == PollMode::Always;
        let mut arrived = 0;
        loop {
            let before = self.machine.borrow().in_flight();
            match self.take_in(inbox) {
                Ok(()) => {}
                Err(fault) => {
                    tracing::warn!(%fault, device = self.shared.config.name, "closed");
                    self.end(&fault.to_string());
                }
            }
            if self.is_over.get() {
                return;
            }
            let ended = self.machine.borrow().in_flight();
            self.pump();
            let direct = self.direct(inbox);
            if !is_spinning {
                pace.replied(before.saturating_sub(ended), arrived, self.core.now());
                // What has ended is asked for again nearly always, later in this turn.
                let owed = if ended > 0 && direct.is_none() { before } else { 0 };
                if let Some(ns) = pace.pause_ns(owed) {
                    self.core.sleep(ns).await;
                }
            }
            let payload = inbox.prepare(direct);
            let (result, payload) = stream.receive(payload).await;
            let n = *result.as_ref().unwrap_or(&0);
            arrived = n as u64;
            if let Some((part, got)) = inbox.finish(payload, n)
                && let Err(fault) = self.direct_arrived(part, got)
            {
                self.end(&fault.to_string());
            }
            match result {
                Ok(0) => self.end("the server closed the connection"),
                Ok(_) => self.pulse.received(),
                Err(error) => self.end(&error.to_string()),
            }
        }
    }

    /// Hands everything that is there to the machine.
    fn take_in(&self, inbox: &mut Inbox) -> Result<(), ReplyFault> {
        let mut machine = self.machine.borrow_mut();
        loop {
            let bytes = inbox.bytes();
            if bytes.is_empty() {
                return Ok(());
            }
            if let Some(data) = machine.data() {
                let len = bytes.len().min(usize::try_from(data.len).unwrap_or(usize::MAX));
                self.place(data, &bytes[..len]);
                inbox.consume(len);
                self.settle_all(&mut machine, len)?;
                continue;
            }
            let step = machine.take(bytes)?;
            if step.used == 0 {
                return Ok(());
            }
            inbox.consume(step.used);
            self.act(&mut machine, step.event);
        }
    }

    #[inline]
    fn settle_all(&self, machine: &mut Transmission, len: usize) -> Result<(), ReplyFault> {
        if let Some(Ended { slot, error }) = machine.arrived(len as u64)? {
            self.ended(machine, slot, error);
        }
        Ok(())
    }

    #[inline]
    fn act(&self, machine: &mut Transmission, event: Event) {
        let ended = match event {
            Event::Nothing | Event::Data(_) => return,
            Event::Zeroes(data, ended) => {
                self.zero(data);
                ended
            }
            Event::Ended(ended) => Some(ended),
        };
        if let Some(Ended { slot, error }) = ended {
            self.ended(machine, slot, error);
        }
    }

    #[inline]
    fn place(&self, data: Data, bytes: &[u8]) {
        let mut flights = self.flights.borrow_mut();
        let flight = flights[usize::from(data.slot)].as_mut();
        let request = &mut flight.expect("the machine knows its requests").request;
        request.io.payload.copy_from(request.done + data.at, bytes);
    }

    #[cold]
    fn zero(&self, mut data: Data) {
        while data.len > 0 {
            let len = data.len.min(ZEROES.len() as u64);
            self.place(data, &ZEROES[..len as usize]);
            (data.at, data.len) = (data.at + len, data.len - len);
        }
    }

    /// The part of a payload that the next bytes go straight into: where a long run of them is due
    /// and nothing is left in the inbox.
    fn direct(&self, inbox: &Inbox) -> Option<Segment> {
        let data = self.machine.borrow().data()?;
        if data.len < CARVE_LEN_MIN || !inbox.bytes().is_empty() {
            return None;
        }
        let mut flights = self.flights.borrow_mut();
        let request = &mut flights[usize::from(data.slot)].as_mut()?.request;
        let at = request.done + data.at;
        request.carved.take(&mut request.io.payload, at, u32::try_from(data.len).ok()?)
    }

    /// The first `got` bytes of the part have arrived.
    fn direct_arrived(&self, part: Segment, got: u32) -> Result<(), ReplyFault> {
        let mut machine = self.machine.borrow_mut();
        let data = machine.data().expect("payload is due while its part is out");
        let mut flights = self.flights.borrow_mut();
        let flight = flights[usize::from(data.slot)].as_mut();
        let request = &mut flight.expect("the machine knows its requests").request;
        request.carved.put(&mut request.io.payload, part);
        drop(flights);
        if got == 0 {
            return Ok(());
        }
        self.settle_all(&mut machine, got as usize)
    }
}

/// The answer to a block status.
pub(crate) fn told(io: Io, told: &[extent::Extent]) -> Completion {
    let mut extents: Vec<Extent> = Vec::with_capacity(told.len());
    let mut offset = io.offset;
    for extent in told {
        let kind = kind(extent.flags);
        match extents.last_mut() {
            Some(last) if last.kind == kind => last.len += extent.len,
            _ => extents.push(Extent { offset, len: extent.len, kind }),
        }
        offset += extent.len;
    }
    io.done_with(Outcome::Extents(Box::new(extents)))
}

/// What is not allocated and does not read as zeroes may hold anything: it counts as data (NBD,
/// 'base: metadata namespace').
fn kind(flags: ExtentFlags) -> ExtentKind {
    let (is_hole, is_zero) = (flags.contains(ExtentFlags::HOLE), flags.contains(ExtentFlags::ZERO));
    match (is_hole, is_zero) {
        (true, true) => ExtentKind::Hole,
        (false, true) => ExtentKind::Zero,
        (_, false) => ExtentKind::Data,
    }
}

//! What leaves on a connection: PDUs of the session machine, gathered into one send.

use byway_engine::memory::{Crc32c, Segment};
use byway_engine::net::Outbox;
use byway_proto::iscsi::initiator::{Failure, TaskId, Transmit, TransmitData};
use byway_proto::iscsi::pdu::{BHS_LEN, padding};

use crate::flight::Flight;
use crate::link::Link;
use crate::login::SEND_LEN_MAX;

/// Bytes of a header with its digest, of padding and digest.
const FRAME_LEN_MAX: u32 = BHS_LEN as u32 + 4 + 3 + 4;

impl Link {
    pub(crate) async fn send(&self) {
        loop {
            self.gather();
            let batch = self.outbox.borrow_mut().take();
            if let Some(payload) = batch {
                let (result, payload) = self.stream.send(payload).await;
                let mut outbox = self.outbox.borrow_mut();
                outbox.sent(payload, |key, part| self.part_sent(key, part));
                drop(outbox);
                self.tell();
                if let Err(error) = result {
                    tracing::debug!(%error, "the connection ended");
                    self.fail(Failure::ConnectionLost);
                    break;
                }
            } else if self.is_over() {
                break;
            } else {
                self.to_send.wait().await;
            }
        }
        self.outbox.borrow_mut().clear(|key, part| self.part_sent(key, part));
    }

    /// Puts what the session wants to send into the outbox, as far as there is room.
    fn gather(&self) {
        let mut session = self.session.borrow_mut();
        let Some(session) = session.as_mut() else { return };
        let (mut outbox, now) = (self.outbox.borrow_mut(), self.core.now());
        while outbox.has_room(FRAME_LEN_MAX + SEND_LEN_MAX) {
            let Some(transmit) = session.poll_transmit(now) else { return };
            self.put(&mut outbox, &transmit);
        }
    }

    #[inline]
    fn put(&self, outbox: &mut Outbox, transmit: &Transmit) {
        outbox.put(&transmit.bhs);
        if self.header_digest {
            outbox.put(&Crc32c::of(&transmit.bhs).to_le_bytes());
        }
        let (len, crc) = match &transmit.data {
            TransmitData::None => return,
            TransmitData::Bytes(bytes) => {
                outbox.put(bytes);
                (bytes.len() as u32, self.data_digest.then(|| sum(bytes)))
            }
            TransmitData::Task { task, offset, len } => {
                (*len, self.put_task(outbox, *task, *offset, *len))
            }
        };
        let pad = [0; 3];
        let pad = &pad[..padding(len) as usize];
        outbox.put(pad);
        if let Some(mut crc) = crc {
            crc.update(pad);
            outbox.put(&crc.value().to_le_bytes());
        }
    }

    /// Puts a data segment of a task; answers its sum where digests are sent.
    fn put_task(&self, outbox: &mut Outbox, task: TaskId, at: u32, len: u32) -> Option<Crc32c> {
        let mut crc = self.data_digest.then(Crc32c::new);
        let mut flights = self.flights.borrow_mut();
        match &mut flights[usize::from(task.slot())] {
            Flight::Control(control) => {
                let data = control.data.borrow();
                let bytes = &data[at as usize..(at + len) as usize];
                crc.iter_mut().for_each(|crc| crc.update(bytes));
                outbox.put(bytes);
            }
            Flight::Io(io) => match io.take_part(len) {
                Some(part) => {
                    crc.iter_mut().for_each(|crc| crc.update_segment(&part, 0, len));
                    outbox.put_segment(u64::from(task.itt().0), part);
                }
                None => {
                    let at = u64::from(at);
                    crc.iter_mut()
                        .for_each(|crc| crc.update_payload(io.payload(), at, u64::from(len)));
                    outbox.put_copy(io.payload(), at, len);
                }
            },
            Flight::Free => unreachable!("a task that sends has a flight"),
        }
        crc
    }

    /// A part of a task's buffer was sent, or never will be.
    fn part_sent(&self, key: u64, part: Segment) {
        let slot = usize::from(key as u16);
        if let Flight::Io(io) = &mut self.flights.borrow_mut()[slot]
            && u64::from(io.task.itt().0) == key
        {
            let used = part.len();
            return io.put_part(part, used);
        }
        self.last_part_sent(key, part);
    }

    /// A part of a task that has ended came back; with the last one the request does.
    #[cold]
    fn last_part_sent(&self, key: u64, part: Segment) {
        let mut lingering = self.lingering.borrow_mut();
        let at = lingering.iter().position(|io| u64::from(io.task.itt().0) == key);
        let at = at.expect("a part belongs to a request");
        let used = part.len();
        lingering[at].put_part(part, used);
        if lingering[at].is_away() {
            return;
        }
        let mut io = lingering.swap_remove(at);
        let outcome = io.ended.take().expect("it ended before its part came back");
        self.answers.set(self.answers.get() + 1);
        self.ready.borrow_mut().push_back((io.into_request(), outcome));
    }
}

fn sum(bytes: &[u8]) -> Crc32c {
    let mut crc = Crc32c::new();
    crc.update(bytes);
    crc
}

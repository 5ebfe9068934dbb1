//! A client: sends its messages in batches, and starts again where the answers ended.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use byway_engine::core::Core;
use byway_engine::net::{Address, NetError, Stream};
use byway_engine::sim::Rng;

use super::ledger::Ledger;
use super::message::{self, ANSWER_LEN, Header};

/// Messages sent before their answers are read.
const BATCH_MAX: u64 = 8;
/// How long a client waits for the answers of a batch, in nanoseconds. A peer that vanished says
/// nothing, so only a clock of one's own ends the wait.
const PATIENCE_NS: u64 = 2_000_000_000;
/// The longest pause before a reconnect, in nanoseconds.
const BACKOFF_NS_MAX: u64 = 100_000_000;

pub(super) struct Client {
    pub(super) core: Rc<Core>,
    pub(super) address: Address,
    pub(super) number: u64,
    pub(super) messages: u64,
    pub(super) ledger: Rc<RefCell<Ledger>>,
    pub(super) rng: Rng,
}

impl Client {
    /// Runs until every message is answered.
    pub(super) async fn run(mut self) {
        let mut answered = 0;
        while answered < self.messages {
            let core = Rc::clone(&self.core);
            // How it ended does not matter: what is not answered is sent again.
            let _how = within(&core, PATIENCE_NS * 4, self.connection(&mut answered)).await;
            self.ledger.borrow_mut().reconnects += 1;
            let backoff = self.rng.below(BACKOFF_NS_MAX);
            core.sleep(backoff).await;
        }
    }

    async fn connection(&mut self, answered: &mut u64) -> Result<(), NetError> {
        let stream = Stream::connect(&self.core, &self.address).await?;
        message::send(&self.core, &stream, &self.number.to_le_bytes()).await?;
        while *answered < self.messages {
            let end = self.messages.min(*answered + 1 + self.rng.below(BATCH_MAX));
            let core = Rc::clone(&self.core);
            match within(&core, PATIENCE_NS, self.batch(&stream, answered, end)).await {
                Some(result) => result?,
                None => return Ok(()),
            }
        }
        stream.shutdown_write()
    }

    async fn batch(&self, stream: &Stream, answered: &mut u64, end: u64) -> Result<(), NetError> {
        for number in *answered..end {
            let body = message::body(self.number, number);
            let (body_len, crc) = (body.len() as u32, crc32c::crc32c(&body));
            let header = Header { number, body_len, crc };
            message::send(&self.core, stream, &header.encode()).await?;
            message::send(&self.core, stream, &body).await?;
        }
        while *answered < end {
            let mut answer = [0; ANSWER_LEN];
            if !message::receive(&self.core, stream, &mut answer).await? {
                return Ok(());
            }
            self.judge(message::decode_answer(answer), *answered);
            *answered += 1;
        }
        Ok(())
    }

    fn judge(&self, (number, crc): (u64, u32), expected: u64) {
        let mut ledger = self.ledger.borrow_mut();
        if number != expected {
            let client = self.number;
            ledger.fail(format!("client {client}: answer to {number}, expected {expected}"));
        }
        let sent_crc = crc32c::crc32c(&message::body(self.number, expected));
        ledger.answered(self.number, number, crc, sent_crc);
    }
}

/// The value of `future`, or nothing where it takes longer than `ns`.
async fn within<T>(core: &Rc<Core>, ns: u64, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut clock) = (pin!(future), pin!(core.sleep(ns)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => clock.as_mut().poll(cx).map(|()| None),
    })
    .await
}

//! A TLS connection over an engine stream, in the shape of an engine stream.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use byway_engine::block::Payload;
use byway_engine::core::Core;
use byway_engine::memory::Lease;
use byway_engine::net::{NetError, NetErrorKind, Stream};

use super::config::{TlsClientConfig, TlsConfig};
use super::session::{Failed, RECORD_LEN, Session};
use crate::race::{First, race};

/// Received bytes that wait to be decrypted, and records that wait to leave, at most.
pub const CIPHER_LEN: u32 = 64 << 10;
/// What a connection with little to receive has for it.
const QUIET_LEN: u32 = 4 << 10;
/// What the header and the tag add to a record at most (RFC 5246, section 6.2.3).
const RECORD_EXTRA: usize = 5 + 2048;
/// How long a goodbye may take, in nanoseconds.
const CLOSE_NS: u64 = 1_000_000_000;

/// A connected stream of plain bytes, which leave and arrive encrypted.
///
/// As with [`Stream`], one receive and one send may be under way at a time, from two tasks that
/// share it by an `Rc`.
pub struct TlsStream {
    core: Rc<Core>,
    stream: Rc<Stream>,
    session: RefCell<Session>,
    received: RefCell<Received>,
    is_sending: Cell<bool>,
}

/// Received bytes that are not decrypted.
#[derive(Default)]
struct Received {
    memory: Option<Lease>,
    start: usize,
    end: usize,
    was_full: bool,
}

impl TlsStream {
    /// Answers a client's handshake. The stream has to be at the first byte of it: what a client has
    /// sent before in plain text must be used up.
    ///
    /// # Errors
    /// Where the peer speaks no TLS, shows no certificate that is believed, or is too slow.
    pub async fn accept(
        core: &Rc<Core>,
        stream: Rc<Stream>,
        config: &TlsConfig,
    ) -> Result<TlsStream, NetError> {
        let session = Session::server(config).map_err(|words| failed(&stream, &words))?;
        TlsStream::begin(core, stream, session, config.handshake_ns).await
    }

    /// Begins a handshake with a server.
    ///
    /// # Errors
    /// As [`TlsStream::accept`].
    pub async fn connect(
        core: &Rc<Core>,
        stream: Rc<Stream>,
        config: &TlsClientConfig,
    ) -> Result<TlsStream, NetError> {
        let session = Session::client(config).map_err(|words| failed(&stream, &words))?;
        TlsStream::begin(core, stream, session, config.handshake_ns).await
    }

    async fn begin(
        core: &Rc<Core>,
        stream: Rc<Stream>,
        session: Session,
        within_ns: u64,
    ) -> Result<TlsStream, NetError> {
        let (session, received) = (RefCell::new(session), RefCell::default());
        let core = Rc::clone(core);
        let this = TlsStream { core, stream, session, received, is_sending: Cell::new(false) };
        match race(this.handshake(), this.core.sleep(within_ns)).await {
            First::One(done) => done.map(|()| this),
            First::Other(_) => {
                let detail = "TLS: the handshake takes too long";
                Err(NetError::new(NetErrorKind::TimedOut, this.stream.peer_address(), detail))
            }
        }
    }

    async fn handshake(&self) -> Result<(), NetError> {
        loop {
            self.flush().await?;
            if !self.session.borrow().is_handshaking() {
                return Ok(());
            }
            if self.received.borrow().is_empty() {
                self.receive_records().await?;
            }
            let taken = self.received.borrow_mut().take_in(&mut self.session.borrow_mut());
            if let Err(words) = taken {
                // The alert tells the peer why; that it may not arrive changes nothing.
                let _alert = self.flush().await;
                return Err(failed(&self.stream, &words));
            }
            let session = self.session.borrow();
            if session.is_handshaking() && session.has_ended() {
                return Err(failed(&self.stream, "the peer ends the handshake"));
            }
        }
    }

    /// Receives what comes first, at most the payload; as [`Stream::receive`].
    ///
    /// # Errors
    /// Those of the stream; `Closed` where it ends without the peer's goodbye; `Other` for records
    /// that are none.
    pub async fn receive(&self, mut payload: Payload) -> (Result<usize, NetError>, Payload) {
        if payload.is_empty() {
            return (Ok(0), payload);
        }
        loop {
            match self.decrypt(&mut payload) {
                Ok(0) if self.session.borrow().has_ended() => return (Ok(0), payload),
                Ok(0) => {}
                Ok(plain) => return (Ok(plain), payload),
                Err(words) => return (Err(self.give_up(&words).await), payload),
            }
            if let Err(error) = self.receive_records().await {
                return (Err(error), payload);
            }
        }
    }

    fn decrypt(&self, payload: &mut Payload) -> Result<usize, Failed> {
        let mut received = self.received.borrow_mut();
        let taken = self.session.borrow_mut().receive(received.bytes(), payload)?;
        received.consume(taken.consumed);
        Ok(taken.plain as usize)
    }

    /// Sends the alert where nothing else is being sent, and makes an error of the words.
    async fn give_up(&self, words: &str) -> NetError {
        if !self.is_sending.get() {
            let _alert = race(self.flush(), self.core.sleep(CLOSE_NS)).await;
        }
        failed(&self.stream, words)
    }

    /// Waits for more of what the peer sends.
    async fn receive_records(&self) -> Result<(), NetError> {
        let memory = self.received.borrow_mut().take_memory(&self.core);
        let memory = memory.ok_or_else(|| no_memory(&self.stream))?;
        let (got, payload) = self.stream.receive(memory.into()).await;
        let memory = payload.into_lease().expect("the lease that was given");
        match got {
            Ok(0) => {
                let detail = "TLS: the peer is gone without a goodbye";
                Err(NetError::new(NetErrorKind::Closed, self.stream.peer_address(), detail))
            }
            Ok(bytes) => {
                self.received.borrow_mut().put(memory, bytes);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Sends all of the payload, and gives it back; as [`Stream::send`].
    ///
    /// # Errors
    /// Those of the stream. Where the future is dropped half-way, the stream sends no more.
    pub async fn send(&self, payload: Payload) -> (Result<(), NetError>, Payload) {
        let result = self.send_from(&payload).await;
        (result, payload)
    }

    async fn send_from(&self, payload: &Payload) -> Result<(), NetError> {
        let mut at = 0;
        while at < payload.len() {
            let mut memory = self.sending_memory()?;
            let (sealed, filled) = self
                .seal(payload, at, &mut memory)
                .map_err(|words| failed(&self.stream, &words))?;
            at += sealed;
            self.transmit(memory, filled).await?;
        }
        self.flush().await
    }

    /// Fills the memory with records of the payload's bytes from `at` on; answers how many bytes were
    /// taken, and how many of the memory are used.
    fn seal(&self, payload: &Payload, at: u64, memory: &mut Lease) -> Result<(u64, usize), Failed> {
        let mut session = self.session.borrow_mut();
        let (mut sealed, mut filled) = (0, session.take_out(memory));
        while at + sealed < payload.len() && memory.len() - filled >= RECORD_LEN + RECORD_EXTRA {
            sealed += session.seal(payload, at + sealed)?;
            filled += session.take_out(&mut memory[filled..]);
        }
        Ok((sealed, filled))
    }

    /// Sends the records that wait.
    async fn flush(&self) -> Result<(), NetError> {
        while self.session.borrow().wants_write() {
            let mut memory = self.sending_memory()?;
            let filled = self.session.borrow_mut().take_out(&mut memory);
            self.transmit(memory, filled).await?;
        }
        Ok(())
    }

    async fn transmit(&self, mut memory: Lease, filled: usize) -> Result<(), NetError> {
        memory.set_len(filled as u32);
        self.is_sending.set(true);
        let (sent, _memory) = self.stream.send(memory.into()).await;
        self.is_sending.set(false);
        sent
    }

    fn sending_memory(&self) -> Result<Lease, NetError> {
        self.core.lease(CIPHER_LEN).ok_or_else(|| no_memory(&self.stream))
    }

    /// Says goodbye, so that the peer knows that nothing was cut off, and ends the sending direction.
    /// Nothing may be under way in it.
    pub async fn close(&self) {
        self.session.borrow_mut().close();
        let _sent = race(self.flush(), self.core.sleep(CLOSE_NS)).await;
        let _ended = self.stream.shutdown_write();
    }

    /// The stream below, for its options and addresses; its bytes are records.
    pub fn stream(&self) -> &Rc<Stream> {
        &self.stream
    }
}

impl Received {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn bytes(&self) -> &[u8] {
        self.memory.as_ref().map_or(&[], |memory| &memory[self.start..self.end])
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        assert!(self.start <= self.end, "no more is used up than was received");
    }

    fn take_in(&mut self, session: &mut Session) -> Result<(), Failed> {
        let consumed = session.take_in(self.bytes())?;
        self.consume(consumed);
        Ok(())
    }

    /// Memory for the next receive, when all that came is used up: little where little came last.
    fn take_memory(&mut self, core: &Rc<Core>) -> Option<Lease> {
        assert!(self.is_empty(), "what came is decrypted before more is received");
        (self.start, self.end) = (0, 0);
        let wanted = if self.was_full { CIPHER_LEN } else { QUIET_LEN };
        let kept = self.memory.take().filter(|memory| memory.len() == wanted as usize);
        kept.or_else(|| core.lease(wanted))
    }

    fn put(&mut self, memory: Lease, bytes: usize) {
        let (half, len) = (memory.len() / 2, memory.len());
        self.was_full = bytes == len || (len == CIPHER_LEN as usize && bytes > half);
        (self.start, self.end, self.memory) = (0, bytes, Some(memory));
    }
}

fn failed(stream: &Stream, words: &str) -> NetError {
    NetError::new(NetErrorKind::Other, stream.peer_address(), format!("TLS: {words}"))
}

fn no_memory(stream: &Stream) -> NetError {
    let detail = "TLS: the core has no memory left";
    NetError::new(NetErrorKind::Exhausted, stream.peer_address(), detail)
}

//! One TLS connection without input and output: records in, plain bytes out, and the other way.
//!
//! Invariants: a call takes in no more than it can hand on, so nothing grows with what a peer sends;
//! after a failure nothing more is taken in and nothing more is sent but the alert.

use std::io::{self, BufRead, Write};

use byway_engine::block::Payload;
use rustls::{ClientConnection, Connection, ServerConnection};

use super::config::{TlsClientConfig, TlsConfig};

/// Plain bytes of one record (RFC 8446, section 5.1).
pub(super) const RECORD_LEN: usize = 16 << 10;

/// What stands behind a failure, in words.
pub(super) type Failed = String;

/// What a peer's bytes led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Received bytes that are used up.
    pub(super) consumed: usize,
    /// Plain bytes that were put into the payload.
    pub(super) plain: u64,
}

pub(super) struct Session {
    connection: Connection,
    /// Plain bytes on their way from a payload into records.
    scratch: Box<[u8]>,
    failed: bool,
    ended: bool,
}

impl Session {
    pub(super) fn server(config: &TlsConfig) -> Result<Session, Failed> {
        let connection = ServerConnection::new(config.server.clone());
        connection.map(|c| Session::new(c.into())).map_err(|cause| cause.to_string())
    }

    pub(super) fn client(config: &TlsClientConfig) -> Result<Session, Failed> {
        let name = config.server_name.clone();
        let connection = ClientConnection::new(config.client.clone(), name);
        connection.map(|c| Session::new(c.into())).map_err(|cause| cause.to_string())
    }

    fn new(mut connection: Connection) -> Session {
        connection.set_buffer_limit(Some(2 * RECORD_LEN));
        let scratch = vec![0; RECORD_LEN].into_boxed_slice();
        Session { connection, scratch, failed: false, ended: false }
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// True where the peer has said that it sends nothing more.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// True where records wait to leave.
    pub(super) fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Takes in received bytes, and puts plain bytes into the payload from its start on.
    pub(super) fn receive(
        &mut self,
        received: &[u8],
        payload: &mut Payload,
    ) -> Result<Taken, Failed> {
        let mut taken = Taken { consumed: 0, plain: 0 };
        loop {
            taken.plain += self.hand_on(payload, taken.plain);
            let rest = &received[taken.consumed..];
            if taken.plain == payload.len() || rest.is_empty() || self.ended {
                return Ok(taken);
            }
            taken.consumed += self.take_in(rest)?;
        }
    }

    /// Takes in the bytes of a handshake; answers how many.
    pub(super) fn take_in(&mut self, mut received: &[u8]) -> Result<usize, Failed> {
        if self.failed {
            return Err("an earlier record was wrong".into());
        }
        let all = received.len();
        let read = self.connection.read_tls(&mut received).map_err(|cause| cause.to_string());
        let processed = read
            .and_then(|_| self.connection.process_new_packets().map_err(|cause| cause.to_string()));
        match processed {
            Ok(state) => {
                self.ended |= state.peer_has_closed() && state.plaintext_bytes_to_read() == 0;
                Ok(all - received.len())
            }
            Err(words) => {
                self.failed = true;
                Err(words)
            }
        }
    }

    /// Puts decrypted bytes into the payload from `at` on; answers how many.
    fn hand_on(&mut self, payload: &mut Payload, at: u64) -> u64 {
        let (mut done, room) = (0, payload.len() - at);
        let mut reader = self.connection.reader();
        while done < room {
            let Ok(bytes) = reader.fill_buf() else { break };
            if bytes.is_empty() {
                self.ended = true;
                break;
            }
            let part = bytes.len().min(usize::try_from(room - done).unwrap_or(usize::MAX));
            payload.copy_from(at + done, &bytes[..part]);
            reader.consume(part);
            done += part as u64;
        }
        done
    }

    /// Makes records of bytes of the payload from `at` on; answers of how many.
    pub(super) fn seal(&mut self, payload: &Payload, at: u64) -> Result<u64, Failed> {
        if self.failed {
            return Err("the connection has failed".into());
        }
        let len = (payload.len() - at).min(self.scratch.len() as u64);
        let plain = &mut self.scratch[..len as usize];
        payload.copy_to(at, plain);
        let sealed = self.connection.writer().write(plain).map_err(|cause| cause.to_string())?;
        Ok(sealed as u64)
    }

    /// Moves records that wait into `room`; answers how many bytes.
    pub(super) fn take_out(&mut self, room: &mut [u8]) -> usize {
        let all = room.len();
        let mut left = room;
        while !left.is_empty() && self.connection.wants_write() {
            let written: io::Result<usize> = self.connection.write_tls(&mut left);
            // Memory takes what fits, so only a full one says zero.
            if !matches!(written, Ok(1..)) {
                break;
            }
        }
        all - left.len()
    }

    /// Says that nothing more is sent.
    pub(super) fn close(&mut self) {
        self.connection.send_close_notify();
    }
}

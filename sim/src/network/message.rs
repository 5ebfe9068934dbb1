//! A message and its answer on the wire.
//!
//! A message: its number (u64), the length of its body (u32), the check of its body (u32), then
//! the body. An answer: the number (u64), the check again (u32). All little-endian.

use byway_engine::block::Payload;
use byway_engine::core::Core;
use byway_engine::net::{NetError, NetErrorKind, Stream};
use byway_engine::sim::Rng;

/// Bytes before the body.
pub(super) const HEADER_LEN: usize = 16;
/// Bytes of an answer.
pub(super) const ANSWER_LEN: usize = 12;
/// The longest body in bytes.
pub(super) const BODY_LEN_MAX: u64 = 20_000;

/// What a header or an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) number: u64,
    pub(super) body_len: u32,
    pub(super) crc: u32,
}

impl Header {
    pub(super) fn encode(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(&self.number.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.body_len.to_le_bytes());
        bytes[12..].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: [u8; HEADER_LEN]) -> Header {
        let [a, b, c, d, e, f, g, h, l0, l1, l2, l3, c0, c1, c2, c3] = bytes;
        Header {
            number: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            body_len: u32::from_le_bytes([l0, l1, l2, l3]),
            crc: u32::from_le_bytes([c0, c1, c2, c3]),
        }
    }

    /// The answer to this message.
    pub(super) fn answer(self) -> [u8; ANSWER_LEN] {
        let mut bytes = [0; ANSWER_LEN];
        bytes[..8].copy_from_slice(&self.number.to_le_bytes());
        bytes[8..].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }
}

/// Number and check of an answer.
pub(super) fn decode_answer(bytes: [u8; ANSWER_LEN]) -> (u64, u32) {
    let [a, b, c, d, e, f, g, h, c0, c1, c2, c3] = bytes;
    (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u32::from_le_bytes([c0, c1, c2, c3]))
}

/// The body of a client's message: the same whenever it is sent.
pub(super) fn body(client: u64, number: u64) -> Vec<u8> {
    let mut rng = Rng::new(client << 32 ^ number);
    let len = 1 + rng.below(BODY_LEN_MAX);
    (0..len).map(|_| rng.next_u64() as u8).collect()
}

/// Sends all of `bytes`.
pub(super) async fn send(core: &Core, stream: &Stream, bytes: &[u8]) -> Result<(), NetError> {
    let mut lease = core.lease(bytes.len() as u32).expect("the arena holds the messages in flight");
    lease.copy_from_slice(bytes);
    stream.send(lease.into()).await.0
}

/// Receives exactly `to`; false where the stream ends before its first byte.
pub(super) async fn receive(core: &Core, stream: &Stream, to: &mut [u8]) -> Result<bool, NetError> {
    let mut at = 0;
    while at < to.len() {
        let left = (to.len() - at) as u32;
        let lease = core.lease(left).expect("the arena holds the messages in flight");
        let (received, payload) = stream.receive(Payload::from(lease)).await;
        let n = received?;
        if n == 0 && at == 0 {
            return Ok(false);
        }
        if n == 0 {
            return Err(cut_short(stream));
        }
        payload.copy_to(0, &mut to[at..at + n]);
        at += n;
    }
    Ok(true)
}

fn cut_short(stream: &Stream) -> NetError {
    let kind = NetErrorKind::Closed;
    NetError::new(kind, stream.peer_address(), "receive: the stream ends within a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_answers_come_back() {
        let header = Header { number: 1 << 40, body_len: 77, crc: 0xdead_beef };
        assert_eq!(Header::decode(header.encode()), header);
        assert_eq!(decode_answer(header.answer()), (header.number, header.crc));
    }

    #[test]
    fn a_body_is_the_same_every_time_and_never_empty() {
        assert_eq!(body(1, 2), body(1, 2));
        assert_ne!(body(1, 2), body(2, 1));
        assert!((0..100).all(|n| (1..=BODY_LEN_MAX as usize).contains(&body(0, n).len())));
    }
}

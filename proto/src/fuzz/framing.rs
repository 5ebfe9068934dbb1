//! A stream of PDUs, cut anywhere.

use super::Input;
use crate::iscsi::framing::{DIGEST_LEN, Framer, HEAD_LEN_MAX, Next};
use crate::iscsi::pdu::{BHS_LEN, padding};

fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().map(|byte| u32::from(*byte)).sum()
}

/// Every byte of a stream belongs to a head, to data or to a tail, whatever the stream says.
pub fn framing(data: &[u8]) {
    let mut input = Input::new(data);
    let digests = input.byte();
    let (header_digest, data_digest) = (digests & 1 != 0, digests & 2 != 0);
    // The sum of a fuzzed head is seldom right.
    let is_believed = digests & 4 != 0;
    let cut = u32::from(digests >> 3) + 1;
    let mut framer = Framer::new(header_digest, data_digest);
    let mut rest = input.all();
    while let Some((taken, behind)) = rest.split_at_checked(due(&framer, rest, cut)) {
        rest = behind;
        match framer.next() {
            Next::Head if is_believed && header_digest => {
                let found = taken.last_chunk().copied().map_or(0, u32::from_le_bytes);
                let told = framer.head(taken, |_| found);
                assert!(told.is_ok(), "the digest is right");
            }
            Next::Head if framer.head(taken, sum).is_err() => return,
            Next::Head => {}
            Next::Data(_) if taken.is_empty() => return,
            Next::Data(_) => framer.data(taken.len() as u32),
            Next::Tail(_) => {
                let is_right = framer.tail(taken, sum);
                assert!(is_right || data_digest, "no digest, no wrong one");
            }
        }
    }
}

/// How many bytes the framer is given next.
fn due(framer: &Framer, rest: &[u8], cut: u32) -> usize {
    match framer.next() {
        Next::Head => {
            let len = framer.head_len(rest);
            assert!((BHS_LEN..=HEAD_LEN_MAX).contains(&len));
            len
        }
        Next::Data(left) => (left.min(cut) as usize).min(rest.len()),
        Next::Tail(len) => {
            assert!(len > 0 && len <= padding(1) + DIGEST_LEN as u32);
            len as usize
        }
    }
}

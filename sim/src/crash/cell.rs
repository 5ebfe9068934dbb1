//! A cell: one atomic unit of the disk that says what it is.
//!
//! Invariants: the check covers every byte, so a torn or mixed cell is none; the place is in the
//! cell, so a misdirected one is recognised; versions are never used twice in a run.

use byway_engine::sim::Rng;

const MAGIC: u64 = 0x6279_7761_7963_656c;
/// Magic, seed, place, version.
const HEAD_LEN: usize = 32;
/// The check at the end.
const CHECK_LEN: usize = 4;

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    /// Nothing but zeroes.
    Zero,
    /// What the write of this version put there.
    Version(u64),
}

/// Fills `bytes` with the cell `place` in `version`.
pub(crate) fn encode(bytes: &mut [u8], seed: u64, place: u64, version: u64) {
    let end = bytes.len() - CHECK_LEN;
    let (body, check) = bytes.split_at_mut(end);
    let words = [MAGIC, seed, place, version];
    for (to, word) in body.chunks_exact_mut(8).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    let mut rng = Rng::new(place ^ version.rotate_left(32));
    for to in body[HEAD_LEN..].chunks_mut(8) {
        to.copy_from_slice(&rng.next_u64().to_le_bytes()[..to.len()]);
    }
    check.copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
}

/// What the bytes found at `place` are, or what is wrong with them.
pub(crate) fn decode(bytes: &[u8], seed: u64, place: u64) -> Result<Value, String> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(Value::Zero);
    }
    let (body, check) = bytes.split_at(bytes.len() - CHECK_LEN);
    if crc32c::crc32c(body).to_le_bytes() != check {
        return Err(format!("cell {place} is torn or mixed: its check fails"));
    }
    let word = |at: usize| body[at * 8..][..8].iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
    let [magic, of_seed, of_place, version] = [0, 1, 2, 3].map(word);
    if (magic, of_seed) != (MAGIC, seed) {
        return Err(format!("cell {place} holds what nobody wrote"));
    }
    if of_place != place {
        return Err(format!("cell {place} holds version {version} of cell {of_place}"));
    }
    Ok(Value::Version(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_what_it_is() {
        for len in [512, 4096] {
            let mut bytes = vec![0; len];
            assert_eq!(decode(&bytes, 1, 2), Ok(Value::Zero));
            encode(&mut bytes, 1, 2, 3);
            assert_eq!(decode(&bytes, 1, 2), Ok(Value::Version(3)));
            assert!(decode(&bytes, 1, 4).unwrap_err().contains("version 3 of cell 2"));
            assert!(decode(&bytes, 9, 2).unwrap_err().contains("nobody wrote"));
            bytes[len / 2..].fill(0);
            assert!(decode(&bytes, 1, 2).unwrap_err().contains("torn"));
        }
    }
}

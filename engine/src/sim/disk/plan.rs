//! What a request will do, decided when it is submitted: is it legal, and which bytes change.

use super::super::PPM;
use super::config::DiskConfig;
use super::ranges::{Content, Piece};
use super::state::State;
use crate::block::{Io, Op};
use crate::error::ErrorKind;

/// What is wrong with a request, if anything.
pub(super) fn refusal(config: &DiskConfig, size: u64, io: &Io) -> Option<(ErrorKind, String)> {
    let (kind, why) = match io.op {
        Op::ReservationIn | Op::ReservationOut => {
            (ErrorKind::Unsupported, "knows no reservations".to_owned())
        }
        Op::Flush => return None,
        _ => (ErrorKind::Range, out_of_range(config, size, io)?),
    };
    Some((kind, format!("{}: {why}", config.name)))
}

fn out_of_range(config: &DiskConfig, size: u64, io: &Io) -> Option<String> {
    let is_inside = io.offset.checked_add(io.len).is_some_and(|end| end <= size);
    if !is_inside {
        return Some("the request ends beyond the device".into());
    }
    if !(io.offset | io.len).is_multiple_of(u64::from(config.block_len)) {
        return Some(format!("offset and length must be multiples of {}", config.block_len));
    }
    let (payload_len, len_max) = match io.op {
        Op::Read | Op::Write => (io.len, config.io_len_max),
        Op::CompareAndWrite => (io.len.saturating_mul(2), config.atomic_len),
        _ => (0, u32::MAX),
    };
    if io.payload.len() != payload_len {
        return Some("the payload is not as long as the request".into());
    }
    let is_long = payload_len > 0 && io.len > u64::from(len_max);
    is_long.then(|| format!("{} takes at most {len_max} bytes", io.op))
}

/// The pieces that a request puts on the medium, after what silent faults make of them.
pub(super) fn changes(state: &mut State, io: &Io) -> Vec<Piece> {
    let piece = |content| Piece { start: io.offset, len: io.len, content };
    match io.op {
        Op::Write => written(state, piece(bytes_of(io, 0))),
        Op::CompareAndWrite => vec![piece(bytes_of(io, io.len))],
        Op::WriteZeroes if io.unmap => vec![piece(Content::Hole)],
        Op::WriteZeroes => vec![piece(Content::Zero)],
        Op::Discard => discarded(state, &piece(Content::Hole)),
        _ => Vec::new(),
    }
}

fn bytes_of(io: &Io, from: u64) -> Content {
    let mut bytes = vec![0; io.len as usize];
    io.payload.copy_to(from, &mut bytes);
    Content::Bytes { data: bytes.into(), at: 0 }
}

fn written(state: &mut State, piece: Piece) -> Vec<Piece> {
    let faults = state.config.silent;
    if state.rng.chance(faults.lost_write_ppm) {
        state.stats.lost_writes += 1;
        return Vec::new();
    }
    if state.rng.chance(faults.misdirected_write_ppm) {
        state.stats.misdirected += 1;
        let start = elsewhere(state, piece.len);
        return vec![Piece { start, ..piece }];
    }
    vec![piece]
}

/// A place for `len` bytes, of the many where they do not belong.
pub(super) fn elsewhere(state: &mut State, len: u64) -> u64 {
    let block_len = u64::from(state.config.block_len);
    let places = state.size.saturating_sub(len) / block_len + 1;
    state.rng.below(places) * block_len
}

/// Discarded bytes read as anything: some stay, some become holes.
fn discarded(state: &mut State, piece: &Piece) -> Vec<Piece> {
    let freed_ppm = state.rng.pick(&[0, PPM / 2, PPM]);
    let units = state.medium.units(std::slice::from_ref(piece));
    units.into_iter().filter(|_| state.rng.chance(freed_ppm)).collect()
}

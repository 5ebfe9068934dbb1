//! Takes the end of a payload away for a while.

use crate::block::Payload;
use crate::memory::Segment;

/// What was cut off a payload.
#[derive(Debug)]
pub(super) struct Rest {
    /// Length of the last segment that was left, before the cut.
    last_len: u32,
    /// The segments behind it.
    segments: Vec<Segment>,
}

/// Leaves the first `len` bytes (not zero) in the payload.
pub(super) fn cut(payload: &mut Payload, len: u64) -> Rest {
    let mut rest = Rest { last_len: 0, segments: Vec::new() };
    let mut left = len;
    let mut kept = Vec::new();
    let all: Vec<Segment> = match payload {
        Payload::One(segment) => {
            rest.last_len = segment.len();
            segment.set_len(len as u32);
            return rest;
        }
        Payload::Many(list) => list.drain().collect(),
        _ => return rest,
    };
    for mut segment in all {
        if left == 0 {
            rest.segments.push(segment);
            continue;
        }
        rest.last_len = segment.len();
        segment.set_len(u64::from(segment.len()).min(left) as u32);
        left -= u64::from(segment.len());
        kept.push(segment);
    }
    refill(payload, kept);
    rest
}

/// Makes the payload whole again.
pub(super) fn restore(payload: &mut Payload, rest: Rest) {
    if let Some(last) = payload.segments_mut().last_mut() {
        last.set_len(rest.last_len);
    }
    refill(payload, rest.segments);
}

fn refill(payload: &mut Payload, segments: Vec<Segment>) {
    if let Payload::Many(list) = payload {
        for segment in segments {
            list.push(segment).expect("they were in this list before");
        }
    }
}

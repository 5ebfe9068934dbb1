//! What an operation carries: no memory, one segment, several, or a reservation's words.
//!
//! One segment is stored in place, so the common request needs no allocation. A list is boxed and
//! meant to be used again: a completion gives it back to the submitter.

use super::{ReservationIn, ReservationOut};
use crate::memory::{Lease, Segment};

/// The most segments of one request: a 1 MiB transfer in pages of 4 KiB.
pub const SEGMENTS_MAX: usize = 256;

/// Several segments, in the order of the bytes they carry.
#[derive(Debug, Default)]
pub struct SegmentList {
    segments: Vec<Segment>,
}

impl SegmentList {
    /// An empty list with room for `n` segments (at most [`SEGMENTS_MAX`]).
    pub fn with_capacity(n: usize) -> Self {
        SegmentList { segments: Vec::with_capacity(n.min(SEGMENTS_MAX)) }
    }

    /// Adds a segment, or gives it back when the list is full.
    pub fn push(&mut self, segment: impl Into<Segment>) -> Result<(), Segment> {
        if self.segments.len() == SEGMENTS_MAX {
            return Err(segment.into());
        }
        self.segments.push(segment.into());
        Ok(())
    }

    /// Takes all segments out, and keeps the list's memory.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Segment> {
        self.segments.drain(..)
    }
}

/// What an operation carries.
#[derive(Debug, Default)]
pub enum Payload {
    /// Nothing: flush, discard, write-zeroes, block status.
    #[default]
    None,
    /// One contiguous piece.
    One(Segment),
    /// Several pieces.
    Many(Box<SegmentList>),
    /// A change of reservations.
    ReservationOut(Box<ReservationOut>),
    /// A question about reservations.
    ReservationIn(ReservationIn),
}

impl Payload {
    /// The segments in order; none where there are none.
    pub fn segments(&self) -> &[Segment] {
        match self {
            Payload::One(segment) => std::slice::from_ref(segment),
            Payload::Many(list) => &list.segments,
            _ => &[],
        }
    }

    /// The segments in order, to be written by a device.
    pub fn segments_mut(&mut self) -> &mut [Segment] {
        match self {
            Payload::One(segment) => std::slice::from_mut(segment),
            Payload::Many(list) => &mut list.segments,
            _ => &mut [],
        }
    }

    /// Bytes in all segments.
    pub fn len(&self) -> u64 {
        match self {
            Payload::One(segment) => u64::from(segment.len()),
            other => other.segments().iter().map(|s| u64::from(s.len())).sum(),
        }
    }

    /// True where there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lease of a request that was submitted with one.
    pub fn into_lease(self) -> Option<Lease> {
        match self {
            Payload::One(segment) => segment.into_lease().ok(),
            _ => None,
        }
    }

    /// Copies `bytes` to the payload's byte `at`, across segments.
    ///
    /// # Panics
    /// When they do not fit: a bug of the device.
    pub fn copy_from(&mut self, mut at: u64, mut bytes: &[u8]) {
        for segment in self.segments_mut() {
            let len = u64::from(segment.len());
            if bytes.is_empty() || at >= len {
                at = at.saturating_sub(len);
                continue;
            }
            let (now, rest) = bytes.split_at(bytes.len().min((len - at) as usize));
            segment.copy_from(at as u32, now);
            (at, bytes) = (0, rest);
        }
        assert!(bytes.is_empty(), "copy beyond the payload");
    }

    /// Copies the payload's bytes from `at` on into `to`, across segments.
    ///
    /// # Panics
    /// When there are not enough: a bug of the device.
    pub fn copy_to(&self, mut at: u64, mut to: &mut [u8]) {
        for segment in self.segments() {
            let len = u64::from(segment.len());
            if to.is_empty() || at >= len {
                at = at.saturating_sub(len);
                continue;
            }
            let n = to.len().min((len - at) as usize);
            let (now, rest) = to.split_at_mut(n);
            segment.copy_to(at as u32, now);
            (at, to) = (0, rest);
        }
        assert!(to.is_empty(), "copy beyond the payload");
    }
}

impl From<Lease> for Payload {
    fn from(lease: Lease) -> Payload {
        Payload::One(lease.into())
    }
}

impl From<Segment> for Payload {
    fn from(segment: Segment) -> Payload {
        Payload::One(segment)
    }
}

//! The reply to `BLOCK_STATUS`: extents in the context `base:allocation` (NBD, 'Structured reply
//! types').

use alloc::vec::Vec;

use zerocopy::IntoBytes;

use super::ALLOCATION_ID;
use super::head::ReplyTo;
use super::session::Session;
use crate::nbd::Headers;
use crate::nbd::chunk::{
    ChunkKind, STATUS_EXT_HEAD_LEN, STATUS_HEAD_LEN, StatusExtHead, StatusHead,
};
use crate::nbd::extent::{Extent, NARROW_LEN, WIDE_LEN};
use crate::nbd::flags::ExtentFlags;
use crate::nbd::limits::BLOCK_LEN_MIN_MAX;
use crate::nbd::reply::{EXTENDED_LEN, STRUCTURED_LEN};

/// What a compact reply can tell of: a whole number of the largest blocks, so that a request for the
/// rest is aligned.
const NARROW_SPAN_MAX: u64 = (1 << 32) - BLOCK_LEN_MIN_MAX as u64;

impl Session {
    /// Appends the whole reply about `len` bytes from the offset of the request.
    ///
    /// `extents` begin at that offset. They are cut to the range, and neighbours of one status become
    /// one; where there are none, the range is told to be data. With `is_one`, the first is told only.
    /// Lengths of a compact reply have 32 bits, so that it may tell of less than was asked for.
    pub fn block_status(
        &self,
        to: ReplyTo,
        extents: &[Extent],
        len: u64,
        is_one: bool,
        out: &mut Vec<u8>,
    ) {
        let is_wide = self.headers == Headers::Extended;
        let (kind, chunk_len, fields_len, extent_len) = if is_wide {
            (ChunkKind::BlockStatusExt, EXTENDED_LEN, STATUS_EXT_HEAD_LEN, WIDE_LEN)
        } else {
            (ChunkKind::BlockStatus, STRUCTURED_LEN, STATUS_HEAD_LEN, NARROW_LEN)
        };
        let start = out.len();
        let first = start + chunk_len + fields_len;
        out.resize(first, 0);
        self.push_extents(extents, len, is_one, out);
        let payload_len = out.len() - start - chunk_len;
        let head = self.chunk(to, kind, payload_len as u64, true);
        out[start..start + chunk_len].copy_from_slice(head.as_bytes());
        let fields = &mut out[start + chunk_len..first];
        let context = ALLOCATION_ID.into();
        if is_wide {
            let count = ((payload_len - fields_len) / extent_len) as u32;
            fields.copy_from_slice(StatusExtHead { context, count: count.into() }.as_bytes());
        } else {
            fields.copy_from_slice(StatusHead { context }.as_bytes());
        }
    }

    fn push_extents(&self, extents: &[Extent], len: u64, is_one: bool, out: &mut Vec<u8>) {
        let is_wide = self.headers == Headers::Extended;
        let mut left = if is_wide { len } else { len.min(NARROW_SPAN_MAX) };
        assert!(left > 0, "a request of no bytes is refused");
        let mut last: Option<Extent> = None;
        for Extent { len, flags } in extents.iter().copied().filter(|extent| extent.len > 0) {
            let len = len.min(left);
            match &mut last {
                _ if left == 0 => break,
                Some(last) if last.flags == flags => last.len += len,
                Some(_) if is_one => break,
                _ => {
                    let ended = last.replace(Extent { len, flags });
                    ended.iter().for_each(|extent| self.push_extent(extent, out));
                }
            }
            left -= len;
        }
        let last = last.unwrap_or(Extent { len: left, flags: ExtentFlags::NONE });
        self.push_extent(&last, out);
    }

    fn push_extent(&self, extent: &Extent, out: &mut Vec<u8>) {
        match self.headers {
            Headers::Extended => out.extend(extent.encode_wide()),
            Headers::Simple | Headers::Structured => out.extend(extent.encode_narrow()),
        }
    }
}

//! The transmission phase of one connection: what its requests may be and how replies look.
//!
//! A session holds what was negotiated and nothing that changes; requests in flight are the shell's.

use super::error::SessionError;
use super::event::Negotiated;
use crate::nbd::Headers;
use crate::nbd::flags::TransmissionFlags;
use crate::nbd::request::{COMPACT_LEN, EXTENDED_LEN, Request};

/// The rules of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    pub(super) size: u64,
    pub(super) headers: Headers,
    pub(super) flags: TransmissionFlags,
    /// Bits of an offset or a length that are within a block.
    pub(super) block_mask: u64,
    /// Longest data of a read or a write, in bytes.
    pub(super) payload_max: u64,
    pub(super) has_allocation: bool,
    pub(super) is_zeroing_fast: bool,
}

impl Session {
    /// The rules that follow from a handshake.
    #[must_use]
    pub fn new(negotiated: &Negotiated) -> Session {
        let info = &negotiated.info;
        Session {
            size: info.size,
            headers: negotiated.headers,
            flags: info.flags,
            block_mask: u64::from(info.block_sizes.min) - 1,
            payload_max: info.block_sizes.max.into(),
            has_allocation: negotiated.has_allocation,
            is_zeroing_fast: info.is_zeroing_fast,
        }
    }

    /// How requests and replies look.
    #[must_use]
    #[inline]
    pub fn headers(&self) -> Headers {
        self.headers
    }

    /// What the client was told that the export can.
    #[must_use]
    #[inline]
    pub fn flags(&self) -> TransmissionFlags {
        self.flags
    }

    /// Bytes of a request without its payload.
    #[must_use]
    #[inline]
    pub fn request_len(&self) -> usize {
        self.headers.request_len()
    }

    /// Reads the request at the start of the bytes: itself, and how many bytes it has without its
    /// payload. Nothing where more bytes are needed.
    ///
    /// # Errors
    /// The bytes are no request: close the connection.
    #[inline]
    pub fn parse(&self, bytes: &[u8]) -> Result<Option<(Request, usize)>, SessionError> {
        let request = match self.headers {
            Headers::Simple | Headers::Structured => {
                let Some(bytes) = bytes.first_chunk::<COMPACT_LEN>() else { return Ok(None) };
                Request::decode_compact(bytes)
            }
            Headers::Extended => {
                let Some(bytes) = bytes.first_chunk::<EXTENDED_LEN>() else { return Ok(None) };
                Request::decode_extended(bytes)
            }
        };
        let request = request.map_err(SessionError::Wire)?;
        Ok(Some((request, self.request_len())))
    }
}

//! Text on its way out: built pair by pair, handed over in parts that fit a PDU.

use alloc::vec::Vec;

use super::pair::{check_key, check_value};

/// A text to send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TextOut {
    bytes: Vec<u8>,
    sent: usize,
}

/// What goes into one PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part<'a> {
    /// The data segment.
    pub bytes: &'a [u8],
    /// The C bit: more follows.
    pub is_continued: bool,
}

impl TextOut {
    /// An empty text.
    #[must_use]
    pub fn new() -> TextOut {
        TextOut::default()
    }

    /// Adds a pair.
    ///
    /// # Panics
    /// With a key or value that the peer must refuse: both are ours.
    pub fn push(&mut self, key: &str, value: &str) {
        assert!(check_key(key).is_ok(), "our keys are legal");
        assert!(check_value(key, value).is_ok(), "our values fit");
        assert!(!value.as_bytes().contains(&0), "a zero byte ends a value");
        for piece in [key.as_bytes(), b"=", value.as_bytes(), b"\0"] {
            self.bytes.extend_from_slice(piece);
        }
    }

    /// True where nothing is left to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// How many bytes are left to send.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// The next part of at most `limit` bytes (the peer's MaxRecvDataSegmentLength); cuts in the
    /// middle of a key where it must. With nothing left the part is empty and the last.
    ///
    /// # Panics
    /// With a limit of 0, which would never end.
    pub fn next_part(&mut self, limit: usize) -> Part<'_> {
        assert!(limit > 0, "a PDU holds something");
        let begin = self.sent;
        self.sent = self.bytes.len().min(begin.saturating_add(limit));
        Part { bytes: &self.bytes[begin..self.sent], is_continued: !self.is_empty() }
    }
}

//! Texts that are longer than a PDU: sent in parts and gathered from parts (RFC 7143 section 6.1).
//!
//! All parts but the last have the C bit, and the other side answers each with an empty PDU. A part
//! may end anywhere, in the middle of a key too.

use alloc::vec::Vec;
use core::ops::Range;

/// A text on its way out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outgoing {
    text: Vec<u8>,
    sent: usize,
    part_len: usize,
    is_due: bool,
}

impl Outgoing {
    /// Parts of at most `part_len` bytes.
    pub(super) fn new(part_len: u32) -> Outgoing {
        assert!(part_len > 0, "a part has at least one byte");
        Outgoing { text: Vec::new(), sent: 0, part_len: part_len as usize, is_due: false }
    }

    /// The next text, which may be empty.
    pub(super) fn put(&mut self, text: Vec<u8>) {
        assert!(self.is_all_sent() && !self.is_due, "one text after the other");
        *self = Outgoing { text, sent: 0, part_len: self.part_len, is_due: true };
    }

    /// The peer has seen the part before: the next may follow.
    pub(super) fn resume(&mut self) {
        self.is_due = true;
    }

    /// True where no part follows.
    pub(super) fn is_all_sent(&self) -> bool {
        self.sent == self.text.len()
    }

    /// Where the part lies that is to be sent, once.
    pub(super) fn next_part(&mut self) -> Option<Range<usize>> {
        if !core::mem::take(&mut self.is_due) {
            return None;
        }
        let from = self.sent;
        self.sent = self.text.len().min(from + self.part_len);
        Some(from..self.sent)
    }

    /// The bytes of a part.
    pub(super) fn bytes(&self, part: Range<usize>) -> &[u8] {
        &self.text[part]
    }
}

/// The text grew beyond its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// A text on its way in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Incoming {
    text: Vec<u8>,
    len_max: usize,
}

impl Incoming {
    /// Texts of at most `len_max` bytes.
    pub(super) fn new(len_max: usize) -> Incoming {
        Incoming { text: Vec::new(), len_max }
    }

    /// Takes a part; gives the whole text with its last one.
    pub(super) fn add(
        &mut self,
        part: &[u8],
        is_continued: bool,
    ) -> Result<Option<Vec<u8>>, TooLong> {
        if self.text.len() + part.len() > self.len_max {
            return Err(TooLong);
        }
        self.text.extend_from_slice(part);
        Ok((!is_continued).then(|| core::mem::take(&mut self.text)))
    }
}

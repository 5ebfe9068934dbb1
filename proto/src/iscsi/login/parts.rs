//! A text on its way out, in parts: all but the last have the C bit, and the other side answers each
//! with an empty PDU before the next may follow (RFC 7143 section 6.1).

use crate::iscsi::text::{Part, TextOut};

/// One text after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outgoing {
    text: TextOut,
    part_len: u32,
    is_due: bool,
}

impl Outgoing {
    /// Parts of at most `part_len` bytes.
    pub(super) fn new(part_len: u32) -> Outgoing {
        assert!(part_len > 0, "a part has at least one byte");
        Outgoing { text: TextOut::new(), part_len, is_due: false }
    }

    /// The next text, which may be empty.
    pub(super) fn put(&mut self, text: TextOut) {
        assert!(self.is_all_sent() && !self.is_due, "one text after the other");
        self.replace(text);
    }

    /// Forgets the text that was being sent, for the peer is to hear something else.
    pub(super) fn replace(&mut self, text: TextOut) {
        self.text = text;
        self.is_due = true;
    }

    /// The peer has seen the part before: the next may follow.
    pub(super) fn resume(&mut self) {
        self.is_due = true;
    }

    /// True where a part waits to be sent.
    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }

    /// True where no part follows.
    pub(super) fn is_all_sent(&self) -> bool {
        self.text.is_empty()
    }

    /// True where the part that is to be sent next is the last.
    pub(super) fn is_last(&self) -> bool {
        self.fits(&self.text)
    }

    /// True where a text needs no parts.
    pub(super) fn fits(&self, text: &TextOut) -> bool {
        text.len() <= self.part_len as usize
    }

    /// The part that is to be sent, once.
    pub(super) fn next_part(&mut self) -> Option<Part<'_>> {
        let is_due = core::mem::take(&mut self.is_due);
        is_due.then(|| self.text.next_part(self.part_len as usize))
    }
}

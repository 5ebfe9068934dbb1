//! Fuzzed bytes, read as numbers, headers and choices. What is missing at the end reads as zero.

use crate::iscsi::pdu::{BHS_LEN, Bhs};

/// What is left of the bytes.
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(data: &'a [u8]) -> Input<'a> {
        Input { rest: data }
    }

    /// The next step of a script; nothing at its end.
    pub(super) fn step(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.step().unwrap_or_default()
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        core::array::from_fn(|_| self.byte())
    }

    pub(super) fn header(&mut self) -> Bhs {
        self.array::<BHS_LEN>()
    }

    /// At most `len` bytes.
    pub(super) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        bytes
    }

    /// At most 255 bytes, whose number is in the first one.
    pub(super) fn chunk(&mut self) -> &'a [u8] {
        let len = self.byte();
        self.bytes(len.into())
    }

    /// All that is left.
    pub(super) fn all(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// One of them; nothing where there are none.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let choice = usize::from(self.byte());
        from.get(choice % from.len().max(1)).copied()
    }
}

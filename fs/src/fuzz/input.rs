//! Fuzzed bytes, read as numbers and edits. What is missing at the end reads as zero.

use crate::format::BLOCK_LEN;
use crate::store::Block;

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

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// Up to `len` bytes.
    pub(super) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (first, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        first
    }

    /// Changes a few bytes of a block behind its header.
    pub(super) fn edit(&mut self, block: &mut Block) {
        let at = 64 + usize::from(self.u16()) % (BLOCK_LEN - 64);
        let len = usize::from(self.byte() % 32);
        let bytes = self.bytes(len.min(BLOCK_LEN - at));
        block.bytes_mut()[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

//! Attributes: a list that is walked, and one that is written.

use alloc::vec::Vec;
use core::mem::size_of;

use zerocopy::{FromBytes, IntoBytes};

use super::NetlinkError;
use super::header::{ALIGN, AttributeHeader};

/// The attribute holds attributes.
const NESTED: u16 = 0x8000;
/// What is left of the kind without its flags.
const KIND_MASK: u16 = 0x3fff;
const HEADER_LEN: usize = size_of::<AttributeHeader>();

/// One attribute, as it lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Which one, without the flags.
    pub kind: u16,
    /// Its bytes, without the padding.
    pub value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// A number of one byte.
    pub fn u8(&self) -> Result<u8, NetlinkError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A number of two bytes.
    pub fn u16(&self) -> Result<u16, NetlinkError> {
        self.array().map(u16::from_ne_bytes)
    }

    /// A number of four bytes.
    pub fn u32(&self) -> Result<u32, NetlinkError> {
        self.array().map(u32::from_ne_bytes)
    }

    /// A text up to its first zero.
    pub fn text(&self) -> &'a [u8] {
        let end = self.value.iter().position(|byte| *byte == 0);
        self.value.get(..end.unwrap_or(self.value.len())).unwrap_or_default()
    }

    /// The attributes inside.
    pub fn nested(&self) -> Attributes<'a> {
        Attributes::of(self.value)
    }

    fn array<const N: usize>(&self) -> Result<[u8; N], NetlinkError> {
        self.value.try_into().map_err(|_| NetlinkError::Attribute)
    }
}

/// Walks over attributes; ends after the first that is wrong.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The attributes that `bytes` consist of.
    pub fn of(bytes: &'a [u8]) -> Attributes<'a> {
        Attributes { rest: bytes }
    }

    /// The first of a kind.
    ///
    /// # Errors
    /// Where there is none, or the list is broken before it.
    pub fn find(self, kind: u16) -> Result<Attribute<'a>, NetlinkError> {
        for attribute in self {
            let attribute = attribute?;
            if attribute.kind == kind {
                return Ok(attribute);
            }
        }
        Err(NetlinkError::Attribute)
    }

    fn take(&mut self) -> Result<Attribute<'a>, NetlinkError> {
        let (header, _) =
            AttributeHeader::ref_from_prefix(self.rest).map_err(|_| NetlinkError::Truncated)?;
        let len = usize::from(header.len.get());
        let value = self.rest.get(HEADER_LEN..len).ok_or(NetlinkError::Length)?;
        // The padding behind the last one may be missing.
        self.rest = self.rest.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Ok(Attribute { kind: header.kind.get() & KIND_MASK, value })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, NetlinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let taken = self.take();
        if taken.is_err() {
            self.rest = &[];
        }
        Some(taken)
    }
}

/// Writes attributes behind each other.
#[derive(Clone, Debug, Default)]
pub struct AttributeWriter {
    bytes: Vec<u8>,
}

impl AttributeWriter {
    /// Appends a number of four bytes.
    pub fn u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// Appends a number of eight bytes.
    pub fn u64(&mut self, kind: u16, value: u64) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// Appends a text with the zero that ends it.
    pub fn text(&mut self, kind: u16, value: &str) {
        let mut bytes = Vec::from(value.as_bytes());
        bytes.push(0);
        self.put(kind, &bytes);
    }

    /// Appends an attribute that holds what `fill` writes.
    pub fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut AttributeWriter)) {
        let mut inside = AttributeWriter::default();
        fill(&mut inside);
        self.put(kind | NESTED, &inside.bytes);
    }

    /// What was written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn put(&mut self, kind: u16, value: &[u8]) {
        let len = u16::try_from(HEADER_LEN + value.len()).expect("our attributes are short");
        let header = AttributeHeader { len: len.into(), kind: kind.into() };
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGN), 0);
    }
}

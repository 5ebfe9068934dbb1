//! Additional header segments of a SCSI Command (RFC 7143 section 11.2.2).
//!
//! Each has a length of two bytes, a type, one byte that counts in the length, and is padded to four.
//! Two types exist: the tail of a CDB above 16 bytes, and the expected length of a bidirectional read.

use super::padding;

/// Bytes before the part that AHSLength counts.
const PREFIX_LEN: usize = 3;
const EXTENDED_CDB: u8 = 1;
const BIDI_READ: u8 = 2;

/// One additional header segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ahs<'a> {
    /// The CDB bytes after the first 16.
    ExtendedCdb(&'a [u8]),
    /// Expected Bidirectional Read Data Length, in bytes.
    BidirectionalRead(u32),
    /// A type that no standard names.
    Unknown(u8),
}

/// A segment whose length does not fit its type or the rest of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AhsError {
    /// The type byte, where there is one.
    pub kind: Option<u8>,
}

/// Walks over the additional header segments of one PDU; stops after the first error.
#[derive(Clone, Debug)]
pub struct AhsIter<'a> {
    rest: &'a [u8],
}

impl<'a> AhsIter<'a> {
    /// `bytes` follow the BHS and have the length of [`super::ahs_len`].
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> AhsIter<'a> {
        AhsIter { rest: bytes }
    }

    fn step(&mut self) -> Result<Ahs<'a>, AhsError> {
        let bytes = core::mem::take(&mut self.rest);
        let [high, low, kind, ..] = *bytes else { return Err(AhsError { kind: None }) };
        let wrong = AhsError { kind: Some(kind) };
        let len = u16::from_be_bytes([high, low]);
        let end = PREFIX_LEN + usize::from(len);
        let body = bytes.get(PREFIX_LEN..end).ok_or(wrong)?;
        let padded = end + padding(u32::from(len) + 3) as usize;
        self.rest = bytes.get(padded..).ok_or(wrong)?;
        match (kind, body) {
            (EXTENDED_CDB, [_reserved, tail @ ..]) if !tail.is_empty() => {
                Ok(Ahs::ExtendedCdb(tail))
            }
            (BIDI_READ, &[_reserved, a, b, c, d]) => {
                Ok(Ahs::BidirectionalRead(u32::from_be_bytes([a, b, c, d])))
            }
            (EXTENDED_CDB | BIDI_READ, _) => Err(wrong),
            _ => Ok(Ahs::Unknown(kind)),
        }
    }
}

impl<'a> Iterator for AhsIter<'a> {
    type Item = Result<Ahs<'a>, AhsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let item = self.step();
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8]) -> Vec<Result<Ahs<'_>, AhsError>> {
        AhsIter::new(bytes).collect()
    }

    #[test]
    fn both_types_are_told_apart_and_padding_is_skipped() {
        let bytes = [0, 3, 1, 0, 0xaa, 0xbb, 0, 0, 0, 5, 2, 0, 0, 0, 0x10, 0];
        let expected = [Ok(Ahs::ExtendedCdb(&[0xaa, 0xbb])), Ok(Ahs::BidirectionalRead(4096))];
        assert_eq!(all(&bytes), expected);
    }

    #[test]
    fn lengths_that_do_not_fit_are_errors() {
        assert_eq!(all(&[0, 9, 1, 0, 0, 0, 0, 0]), [Err(AhsError { kind: Some(1) })]);
        assert_eq!(all(&[0, 1, 2, 0]), [Err(AhsError { kind: Some(2) })]);
        assert_eq!(all(&[0, 0]), [Err(AhsError { kind: None })]);
        assert_eq!(all(&[0, 1, 7, 0]), [Ok(Ahs::Unknown(7))]);
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes: Vec<u8>) {
            prop_assert!(AhsIter::new(&bytes).count() <= bytes.len());
        }
    }
}

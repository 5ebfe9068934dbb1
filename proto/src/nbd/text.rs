//! Fields of variable length, read one after the other; texts after NBD, 'Conventions'.

use alloc::vec::Vec;

use super::error::WireError;
use super::limits::TEXT_LEN_MAX;

/// What is left of the data of an option or of a reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(data: &'a [u8]) -> Fields<'a> {
        Fields { rest: data }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (first, rest) = self.rest.split_first_chunk().ok_or(WireError::Short)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A text with its length before it.
    pub(super) fn counted_text(&mut self) -> Result<&'a str, WireError> {
        let len = self.u32()?;
        let at = usize::try_from(len).map_err(|_| WireError::TextLength { len })?;
        if at > TEXT_LEN_MAX {
            return Err(WireError::TextLength { len });
        }
        let (bytes, rest) = self.rest.split_at_checked(at).ok_or(WireError::Short)?;
        self.rest = rest;
        text(bytes)
    }

    /// All that is left, as a text.
    pub(super) fn last_text(self) -> Result<&'a str, WireError> {
        text(self.rest)
    }

    /// Checks that nothing is left.
    pub(super) fn end(self) -> Result<(), WireError> {
        match self.rest.len() {
            0 => Ok(()),
            len => Err(WireError::Trailing { len }),
        }
    }
}

/// The bytes as a text, whose length they have.
///
/// # Errors
/// Too long, no UTF-8, or with a NUL in it.
pub(super) fn text(bytes: &[u8]) -> Result<&str, WireError> {
    if bytes.len() > TEXT_LEN_MAX {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        return Err(WireError::TextLength { len });
    }
    let text = core::str::from_utf8(bytes).map_err(|_| WireError::Text)?;
    if text.contains('\0') { Err(WireError::Text) } else { Ok(text) }
}

/// Writes a text with its length before it.
pub(super) fn push_counted(out: &mut Vec<u8>, text: &str) {
    out.extend(text_len(text).to_be_bytes());
    out.extend(text.as_bytes());
}

/// The length of a text of ours, which must be a legal one.
pub(super) fn text_len(text: &str) -> u32 {
    assert!(text.len() <= TEXT_LEN_MAX, "a text of {} bytes was let in", text.len());
    u32::try_from(text.len()).expect("4096 fits")
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    #[test]
    fn a_text_is_as_long_as_it_says_and_has_no_nul() {
        let read = |bytes: &[u8]| Fields::new(bytes).counted_text().map(str::len);
        assert_eq!(read(&[0, 0, 0, 2, b'a', b'b', b'c']), Ok(2));
        assert_eq!(read(&[0, 0, 0, 2, b'a']), Err(WireError::Short));
        assert_eq!(read(&[0, 0, 0]), Err(WireError::Short));
        assert_eq!(read(&[0, 0, 0, 1, 0]), Err(WireError::Text));
        assert_eq!(read(&[0, 0, 0, 1, 0xff]), Err(WireError::Text));
        assert_eq!(read(&[0, 0, 16, 1]), Err(WireError::TextLength { len: 4097 }));
    }

    #[test]
    fn what_is_left_is_told() {
        let mut fields = Fields::new(&[0, 1, 2]);
        assert_eq!(fields.u16(), Ok(1));
        assert_eq!(fields.end(), Err(WireError::Trailing { len: 1 }));
        assert_eq!(fields.last_text(), Ok("\u{2}"));
        assert!(text(&vec![b'x'; TEXT_LEN_MAX + 1]).is_err());
    }
}

//! Text on its way in: parts are joined until one comes without the C bit.

use alloc::vec::Vec;

use super::{Pair, TEXT_LEN_MAX, TEXT_PARTS_MAX, TextError, check_unique, parse_pairs};

/// Joins the parts of texts, one text after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Collector {
    bytes: Vec<u8>,
    parts: u32,
    may_repeat: bool,
}

impl Collector {
    /// For negotiations, where a key appears once in a text.
    #[must_use]
    pub fn for_negotiation() -> Collector {
        Collector { bytes: Vec::new(), parts: 0, may_repeat: false }
    }

    /// For lists of targets, where keys repeat.
    #[must_use]
    pub fn for_listing() -> Collector {
        Collector { may_repeat: true, ..Collector::for_negotiation() }
    }

    /// True in the middle of a text: the next thing to send is an empty PDU.
    #[must_use]
    pub fn is_collecting(&self) -> bool {
        self.parts > 0
    }

    /// Takes the data segment of a PDU and its C bit; gives the pairs when the text is complete.
    ///
    /// # Errors
    /// What is wrong with the text; the collector is empty then.
    pub fn take(
        &mut self,
        part: &[u8],
        is_continued: bool,
    ) -> Result<Option<Vec<Pair>>, TextError> {
        let is_endless =
            self.parts == TEXT_PARTS_MAX || self.bytes.len() + part.len() > TEXT_LEN_MAX;
        if is_endless {
            self.reset();
            return Err(TextError::Endless);
        }
        self.parts += 1;
        self.bytes.extend_from_slice(part);
        if is_continued {
            return Ok(None);
        }
        let pairs = parse_pairs(&self.bytes);
        self.reset();
        let pairs = pairs?;
        if !self.may_repeat {
            check_unique(&pairs)?;
        }
        Ok(Some(pairs))
    }

    fn reset(&mut self) {
        self.bytes.clear();
        self.parts = 0;
    }
}

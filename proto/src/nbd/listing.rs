//! One export in the answer to `LIST` (NBD, 'Option reply types', `NBD_REP_SERVER`).

use alloc::vec::Vec;

use super::error::WireError;
use super::text::{Fields, push_counted, text_len};

/// The data of a reply that names an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listed<'a> {
    /// The name by which it is opened; the default export has the empty one.
    pub name: &'a str,
    /// What a person would like to know; may be empty.
    pub description: &'a str,
}

impl<'a> Listed<'a> {
    /// Length on the wire, in bytes.
    #[must_use]
    pub fn wire_len(&self) -> u32 {
        4 + text_len(self.name) + text_len(self.description)
    }

    /// Appends the data.
    pub fn push(&self, out: &mut Vec<u8>) {
        push_counted(out, self.name);
        out.extend(self.description.as_bytes());
    }

    /// Reads the data.
    ///
    /// # Errors
    /// A name that is longer than the data, or text that is none.
    pub fn decode(data: &'a [u8]) -> Result<Listed<'a>, WireError> {
        let mut fields = Fields::new(data);
        let name = fields.counted_text()?;
        Ok(Listed { name, description: fields.last_text()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_cannot_be_longer_than_its_reply() {
        assert_eq!(Listed::decode(&[0, 0, 0, 2, b'a']), Err(WireError::Short));
    }

    proptest! {
        #[test]
        fn entries_survive_the_wire(name in "[^\0]{0,40}", description in "[^\0]{0,40}") {
            let entry = Listed { name: &name, description: &description };
            let mut wire = Vec::new();
            entry.push(&mut wire);
            prop_assert_eq!(wire.len(), usize::try_from(entry.wire_len()).unwrap());
            prop_assert_eq!(Listed::decode(&wire), Ok(entry));
        }
    }
}

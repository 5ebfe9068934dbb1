//! What can be wrong with bytes from the other side.

use core::fmt;

/// Bytes that break a format; the connection cannot go on, or an option is answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WireError {
    /// Another magic number than the one of the place: the stream has lost its way.
    Magic {
        /// What must be there.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The fields need more bytes than there are.
    Short,
    /// Bytes are left after the last field.
    Trailing {
        /// How many.
        len: usize,
    },
    /// A text is longer than [`TEXT_LEN_MAX`](super::limits::TEXT_LEN_MAX).
    TextLength {
        /// Its length, in bytes.
        len: u32,
    },
    /// A text is no UTF-8, or holds a NUL.
    Text,
    /// More elements of a list than its limit.
    TooMany {
        /// How many.
        count: u32,
    },
    /// A number that its field cannot have.
    Value {
        /// The field, in the words of the document.
        field: &'static str,
        /// What it says.
        value: u64,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::Magic { expected, found } => {
                write!(f, "magic number {found:#x} where {expected:#x} must be")
            }
            WireError::Short => write!(f, "fewer bytes than the fields need"),
            WireError::Trailing { len } => write!(f, "{len} bytes after the last field"),
            WireError::TextLength { len } => write!(f, "a text of {len} bytes"),
            WireError::Text => write!(f, "a text that is no UTF-8 or holds a NUL"),
            WireError::TooMany { count } => write!(f, "a list of {count}"),
            WireError::Value { field, value } => write!(f, "{field} is {value:#x}"),
        }
    }
}

impl core::error::Error for WireError {}

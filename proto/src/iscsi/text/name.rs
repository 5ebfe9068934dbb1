//! iSCSI names: who a node is, anywhere and for ever (RFC 7143 section 4.2.7, RFC 3722, RFC 3980).
//!
//! Names are kept in their normal form, which is lower case, so that equal names are equal bytes.

use alloc::string::String;
use core::fmt;

/// Longest name, in bytes.
pub const ISCSI_NAME_LEN_MAX: usize = 223;

/// A name in one of the three formats, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IscsiName(String);

/// Why a text is no iSCSI name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameError {
    /// Above [`ISCSI_NAME_LEN_MAX`].
    TooLong,
    /// Neither `iqn.`, `eui.` nor `naa.`.
    UnknownFormat,
    /// A character that names do not have.
    BadCharacter(char),
    /// After `iqn.`: no `yyyy-mm.` and naming authority.
    BadAuthority,
    /// After `eui.` or `naa.`: not 16 (`naa.`: or 32) hexadecimal digits.
    BadDigits,
}

impl IscsiName {
    /// Brings a name to its normal form and checks it. RFC 3722 has no underscore; it is taken
    /// because names with one are in use.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<IscsiName, NameError> {
        let name = text.to_lowercase();
        if name.len() > ISCSI_NAME_LEN_MAX {
            return Err(NameError::TooLong);
        }
        if let Some(bad) = name.chars().find(|c| !is_legal(*c)) {
            return Err(NameError::BadCharacter(bad));
        }
        match name.split_once('.') {
            Some(("iqn", rest)) if is_authority(rest) => {}
            Some(("iqn", _)) => return Err(NameError::BadAuthority),
            Some(("eui", digits)) if is_hex(digits, &[16]) => {}
            Some(("naa", digits)) if is_hex(digits, &[16, 32]) => {}
            Some(("eui" | "naa", _)) => return Err(NameError::BadDigits),
            _ => return Err(NameError::UnknownFormat),
        }
        Ok(IscsiName(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_legal(c: char) -> bool {
    match c {
        '-' | '.' | ':' | '_' | 'a'..='z' | '0'..='9' => true,
        _ => !c.is_ascii() && !c.is_control() && !c.is_whitespace(),
    }
}

/// `yyyy-mm.` of a month in which the authority owned the domain, then the domain in reverse.
fn is_authority(text: &str) -> bool {
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((date, domain)) = text.split_once('.') else { return false };
    let Some((year, month)) = date.split_once('-') else { return false };
    let is_month = month.len() == 2 && is_digits(month) && ("01"..="12").contains(&month);
    let domain = domain.split(':').next().unwrap_or_default();
    year.len() == 4 && is_digits(year) && is_month && !domain.is_empty()
}

fn is_hex(text: &str, lengths: &[usize]) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl fmt::Display for IscsiName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::TooLong => write!(f, "longer than {ISCSI_NAME_LEN_MAX} bytes"),
            NameError::UnknownFormat => f.write_str("begins with neither iqn., eui. nor naa."),
            NameError::BadCharacter(c) => write!(f, "has {c:?} in it"),
            NameError::BadAuthority => f.write_str("lacks yyyy-mm. and a domain after iqn."),
            NameError::BadDigits => f.write_str("has the wrong number of hexadecimal digits"),
        }
    }
}

impl core::error::Error for NameError {}

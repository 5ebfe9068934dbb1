//! The errors that a reply can carry (NBD, 'Error values').

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NbdErrno {
    /// 1: not permitted; a write to a read-only export.
    Eperm,
    /// 5: the device failed.
    Eio,
    /// 12: no memory.
    Enomem,
    /// 22: a request that makes no sense, or lies outside the export.
    Einval,
    /// 28: no space; a write beyond the end.
    Enospc,
    /// 75: too large to be sent unfragmented.
    Eoverflow,
    /// 95: not supported; zeroes that would not be fast.
    Enotsup,
    /// 108: the server is going away; the client must disconnect.
    Eshutdown,
    /// A number that the document does not list; clients treat it as `Einval`.
    Other(u32),
}

impl NbdErrno {
    /// The number on the wire; 0 is success and never an error.
    #[must_use]
    #[inline]
    pub fn code(self) -> u32 {
        match self {
            NbdErrno::Eperm => 1,
            NbdErrno::Eio => 5,
            NbdErrno::Enomem => 12,
            NbdErrno::Einval => 22,
            NbdErrno::Enospc => 28,
            NbdErrno::Eoverflow => 75,
            NbdErrno::Enotsup => 95,
            NbdErrno::Eshutdown => 108,
            NbdErrno::Other(code) => code,
        }
    }

    /// The error of that number; nothing for 0.
    #[must_use]
    #[inline]
    pub fn from_code(code: u32) -> Option<NbdErrno> {
        Some(match code {
            0 => return None,
            1 => NbdErrno::Eperm,
            5 => NbdErrno::Eio,
            12 => NbdErrno::Enomem,
            22 => NbdErrno::Einval,
            28 => NbdErrno::Enospc,
            75 => NbdErrno::Eoverflow,
            95 => NbdErrno::Enotsup,
            108 => NbdErrno::Eshutdown,
            other => NbdErrno::Other(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_but_zero_is_an_error_that_has_it() {
        assert_eq!(NbdErrno::from_code(0), None);
        for code in (1..300).chain([u32::MAX]) {
            assert_eq!(NbdErrno::from_code(code).map(NbdErrno::code), Some(code));
        }
    }
}

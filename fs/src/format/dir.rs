//! Directories on disk: cookies, the head of a run of names, and one name.
//!
//! A run lies in a dinode's body (inline) or fills a leaf. Its entries follow the head without gaps,
//! ascending by cookie, each padded with zeroes to a multiple of 8 bytes. A cookie is the place of a
//! name for as long as the name exists: 48 bits of the name's hash, then the first number that no
//! other name of that hash has. "." and ".." are not stored; cookies below 16 are for them.

use siphasher::sip::SipHasher24;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BLOCK_LEN, HEADER_LEN};

/// The longest name, in bytes.
pub const NAME_LEN_MAX: usize = 255;
/// No name has a lower cookie.
pub const COOKIE_MIN: u64 = 16;
/// The number of names that share one hash is below this.
pub const COOKIES_PER_HASH: u64 = 1 << 15;
/// Above every cookie.
pub const COOKIE_END: u64 = 1 << 63;
/// Bytes of a leaf that hold its head and its names.
pub const LEAF_AREA_LEN: usize = BLOCK_LEN - HEADER_LEN;

/// The head of a run of names.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct LeafHead {
    /// Names in it.
    pub count: U16,
    /// Bytes of entries after the head.
    pub used: U16,
    /// Zero.
    pub reserved: U32,
    /// The lowest cookie that it may hold: the index says the same. 0 in the first leaf and inline.
    pub first_cookie: U64,
}

/// The head of one name; the name follows it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct EntryHead {
    /// Its place in the order of the directory.
    pub cookie: U64,
    /// The dinode that it names.
    pub ino: U64,
    /// The generation of that dinode: a stale name is known by it.
    pub generation: U32,
    /// Bytes of the name.
    pub name_len: u8,
    /// A hint, as in the file type bits of a mode, shifted right by 12.
    pub file_type: u8,
    /// Zero.
    pub reserved: U16,
}

const _: () = assert!(size_of::<LeafHead>() == LEAF_HEAD_LEN);
const _: () = assert!(size_of::<EntryHead>() == ENTRY_HEAD_LEN);

/// Bytes of the head of a run of names.
pub const LEAF_HEAD_LEN: usize = 16;
/// Bytes of an entry before its name.
pub const ENTRY_HEAD_LEN: usize = 24;
/// Bytes of the longest entry.
pub const ENTRY_LEN_MAX: usize = entry_len(NAME_LEN_MAX);

/// Bytes of an entry with a name of `name_len` bytes.
pub const fn entry_len(name_len: usize) -> usize {
    (ENTRY_HEAD_LEN + name_len).next_multiple_of(8)
}

/// The hash of a name: 48 bits of SipHash-2-4 under the volume's key.
pub fn name_hash(key: &[u8; 16], name: &[u8]) -> u64 {
    SipHasher24::new_with_key(key).hash(name) >> 16
}

/// The lowest cookie that a name of this hash can have.
pub fn first_cookie(hash: u64) -> u64 {
    (hash * COOKIES_PER_HASH).max(COOKIE_MIN)
}

/// Above every cookie that a name of this hash can have.
pub fn end_cookie(hash: u64) -> u64 {
    (hash + 1) * COOKIES_PER_HASH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_of_the_specification() {
        // Appendix A of "SipHash: a fast short-input PRF": key 00..0f, message 00..0e.
        let key: [u8; 16] = std::array::from_fn(|i| i as u8);
        let message: [u8; 15] = std::array::from_fn(|i| i as u8);
        assert_eq!(name_hash(&key, &message), 0xa129_ca61_49be_45e5 >> 16);
    }

    #[test]
    fn cookies_have_63_bits_and_leave_room_for_dots() {
        assert_eq!(first_cookie(0), COOKIE_MIN);
        assert_eq!(first_cookie(1), COOKIES_PER_HASH);
        assert_eq!(end_cookie((1 << 48) - 1), COOKIE_END);
        assert_eq!(ENTRY_LEN_MAX, 280);
    }
}

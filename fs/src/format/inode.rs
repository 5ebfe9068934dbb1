//! The dinode: a block of its own for every file, directory and link. Its number is its block.
//!
//! Invariants: `form` says what the body is; the last `xattr_inline_len` bytes of the body hold
//! extended attributes. `blocks` counts all blocks that the inode owns, itself too.

use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::view::{table, table_mut};
use super::{BLOCK_LEN, HEADER_LEN, Kind};
use crate::store::{Block, Damage, Fault, Time, Want};

/// The body begins here in the block.
pub const BODY_AT: usize = 512;
/// Bytes of the body: to the end of the block.
pub const BODY_LEN: usize = 3584;
/// The most bytes of the body's tail that extended attributes take.
pub const XATTR_INLINE_MAX: usize = 1024;

/// The body is a root area of extents; an empty file has an empty one.
pub const FORM_EXTENTS: u8 = 0;
/// The body is the file's data, or a symbolic link's target.
pub const FORM_INLINE: u8 = 1;
/// The body is the directory's entries.
pub const FORM_INLINE_DIR: u8 = 2;
/// The body is the root area of the directory's index.
pub const FORM_INDEXED_DIR: u8 = 3;

/// The bits of a mode that hold the type.
pub const MODE_TYPE: u32 = 0o170_000;
/// A pipe.
pub const MODE_FIFO: u32 = 0o010_000;
/// A character device.
pub const MODE_CHARACTER: u32 = 0o020_000;
/// A directory.
pub const MODE_DIRECTORY: u32 = 0o040_000;
/// A block device.
pub const MODE_BLOCK: u32 = 0o060_000;
/// A regular file.
pub const MODE_REGULAR: u32 = 0o100_000;
/// A symbolic link.
pub const MODE_LINK: u32 = 0o120_000;
/// A socket.
pub const MODE_SOCKET: u32 = 0o140_000;

/// Extents beyond the size are being removed in steps; the inode is on its slot's list of orphans.
pub const FLAG_TRUNCATING: u32 = 1 << 0;
/// Nothing but the flag itself may be changed.
pub const FLAG_IMMUTABLE: u32 = 1 << 1;
/// Data may only be added at the end.
pub const FLAG_APPEND: u32 = 1 << 2;
/// Policy: data that was read is cached.
pub const FLAG_CACHE_READ: u32 = 1 << 8;
/// Policy: space is given out in long runs, for the image of a virtual machine.
pub const FLAG_VM_PROFILE: u32 = 1 << 9;
/// All flags that have a meaning.
pub const FLAGS: u32 =
    FLAG_TRUNCATING | FLAG_IMMUTABLE | FLAG_APPEND | FLAG_CACHE_READ | FLAG_VM_PROFILE;

/// A moment.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Timestamp {
    /// Seconds since 1970 (UTC), rounded down.
    pub sec: I64,
    /// Nanoseconds after that, below 1,000,000,000.
    pub nsec: U32,
    /// Zero.
    pub reserved: [u8; 4],
}

/// What follows the header in a dinode.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct InodeCore {
    /// Which life of this number it is: handles of an earlier one are stale.
    pub generation: U32,
    /// Type and permissions, as POSIX numbers them.
    pub mode: U32,
    /// The owner.
    pub uid: U32,
    /// The owning group.
    pub gid: U32,
    /// Names that lead to it; for directories 2 and one for each subdirectory.
    pub nlink: U32,
    /// The `FLAG_` bits.
    pub flags: U32,
    /// Bytes of the file.
    pub size: U64,
    /// Blocks that the inode owns: itself, data, nodes.
    pub blocks: U64,
    /// Last read.
    pub atime: Timestamp,
    /// Last change of the data.
    pub mtime: Timestamp,
    /// Last change of anything.
    pub ctime: Timestamp,
    /// When it was made.
    pub btime: Timestamp,
    /// The directory that holds it: exact for directories, a hint for others, 0 when unknown.
    pub parent: U64,
    /// Rises when a node opens it that no other node knows of.
    pub open_epoch: U64,
    /// A block that is the root of its extended attributes; 0 without.
    pub xattr_root: U64,
    /// Names in the directory, without "." and "..".
    pub entries: U64,
    /// The number of a device.
    pub rdev: U64,
    /// What the body is: a `FORM_` number.
    pub form: u8,
    /// Zero.
    pub reserved_a: u8,
    /// Bytes of extended attributes at the end of the body: a multiple of 8.
    pub xattr_inline_len: U16,
    /// Zero.
    pub reserved_b: [u8; 300],
}

const _: () = assert!(size_of::<Timestamp>() == 16);
const _: () = assert!(HEADER_LEN + size_of::<InodeCore>() == BODY_AT);
const _: () = assert!(BODY_AT + BODY_LEN == BLOCK_LEN);

impl Timestamp {
    /// The moment on disk; years beyond what 64 bits of seconds hold are cut.
    pub fn new(time: Time) -> Timestamp {
        let sec = time.div_euclid(1_000_000_000);
        let sec = i64::try_from(sec).unwrap_or(if sec < 0 { i64::MIN } else { i64::MAX });
        let nsec = time.rem_euclid(1_000_000_000) as u32;
        Timestamp { sec: sec.into(), nsec: nsec.into(), reserved: [0; 4] }
    }

    /// The moment in nanoseconds since 1970.
    pub fn time(&self) -> Time {
        Time::from(self.sec.get()) * 1_000_000_000 + Time::from(self.nsec.get())
    }

    /// True where it is a moment.
    pub fn is_legal(&self) -> bool {
        self.nsec.get() < 1_000_000_000 && self.reserved == [0; 4]
    }
}

impl InodeCore {
    /// The table in a dinode.
    pub fn of(block: &Block) -> &InodeCore {
        table(block, HEADER_LEN)
    }

    /// The table in a dinode, to be changed.
    pub fn of_mut(block: &mut Block) -> &mut InodeCore {
        table_mut(block, HEADER_LEN)
    }

    /// The bits of the mode that hold the type.
    pub fn file_type(&self) -> u32 {
        self.mode.get() & MODE_TYPE
    }

    /// True for a directory.
    pub fn is_directory(&self) -> bool {
        self.file_type() == MODE_DIRECTORY
    }

    /// Bytes of the body before the inline extended attributes.
    pub fn body_len(&self) -> usize {
        BODY_LEN - usize::from(self.xattr_inline_len.get()).min(XATTR_INLINE_MAX)
    }

    /// Judges the fields of the dinode `ino`. What the body holds is judged where it is read.
    pub fn check(&self, ino: u64) -> Result<(), Damage> {
        let want = Want::new(Kind::Inode, ino);
        let xattrs = usize::from(self.xattr_inline_len.get());
        let wrong = [
            (self.generation.get() == 0, "generation"),
            (!self.is_mode_legal(), "mode"),
            (self.flags.get() & !FLAGS != 0, "flags"),
            (i64::try_from(self.size.get()).is_err(), "size"),
            (self.blocks.get() == 0, "blocks"),
            (!self.atime.is_legal(), "atime"),
            (!self.mtime.is_legal(), "mtime"),
            (!self.ctime.is_legal(), "ctime"),
            (!self.btime.is_legal(), "btime"),
            (!self.is_form_legal(), "form"),
            (xattrs > XATTR_INLINE_MAX || !xattrs.is_multiple_of(8), "xattr_inline_len"),
            (self.form == FORM_INLINE && self.size.get() > self.body_len() as u64, "size"),
            (!self.is_directory() && self.entries.get() != 0, "entries"),
        ];
        if let Some((_, name)) = wrong.iter().find(|(wrong, _)| *wrong) {
            return Err(Damage::field(ino, want, name));
        }
        match self.reserved_a == 0 && self.reserved_b == [0; 300] {
            true => Ok(()),
            false => Err(Damage { bno: ino, want, fault: Fault::Reserved }),
        }
    }

    fn is_mode_legal(&self) -> bool {
        let known = [
            MODE_FIFO,
            MODE_CHARACTER,
            MODE_DIRECTORY,
            MODE_BLOCK,
            MODE_REGULAR,
            MODE_LINK,
            MODE_SOCKET,
        ];
        known.contains(&self.file_type()) && self.mode.get() & !(MODE_TYPE | 0o7777) == 0
    }

    fn is_form_legal(&self) -> bool {
        match self.file_type() {
            MODE_DIRECTORY => matches!(self.form, FORM_INLINE_DIR | FORM_INDEXED_DIR),
            MODE_REGULAR | MODE_LINK => matches!(self.form, FORM_EXTENTS | FORM_INLINE),
            _ => self.form == FORM_EXTENTS,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn moments_come_back(time in -1i128 << 80..1i128 << 80) {
            let stamp = Timestamp::new(time);
            prop_assert!(stamp.is_legal());
            prop_assert_eq!(stamp.time(), time);
        }

        #[test]
        fn no_bytes_make_the_judge_panic(bytes in prop::collection::vec(any::<u8>(), 448)) {
            let mut block = Block::zeroed();
            block.bytes_mut()[64..512].copy_from_slice(&bytes);
            let core = InodeCore::of(&block);
            prop_assert!(core.body_len() >= BODY_LEN - XATTR_INLINE_MAX);
            prop_assert!(core.check(7).is_err() || core.generation.get() != 0);
        }
    }
}

//! The header of every block of metadata.
//!
//! Each field defends against one fault: the checksum against rot and torn writes, the uuid against
//! blocks of an older volume on the same device, the block number against misdirected writes, kind
//! and owner against stale pointers, the version against replaying what is older than the disk.

use byway_engine::memory::Crc32c;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BLOCK_LEN, HEADER_LEN};
use crate::store::{Damage, Fault, Want};

/// "BYWM" in the order of the bytes.
pub const MAGIC: u32 = u32::from_le_bytes(*b"BYWM");

/// The first 64 bytes of every block of metadata.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`]: not a hole, not file data.
    pub magic: U32,
    /// CRC32C over the block with this field zero.
    pub crc: U32,
    /// The volume that the block belongs to.
    pub uuid: [u8; 16],
    /// Where the block belongs.
    pub bno: U64,
    /// Whose it is: an inode, a group or a slot, by [`super::Kind`].
    pub owner: U64,
    /// The transaction that wrote it last.
    pub version: U64,
    /// A [`super::Kind`].
    pub kind: U16,
    /// For nodes of trees: 0 in leaves.
    pub level: U16,
    /// The epoch of the cluster when it was written.
    pub epoch: U32,
    /// The slot of its writer.
    pub slot: U16,
    /// Zero.
    pub reserved: [u8; 6],
}

const _: () = assert!(size_of::<Header>() == HEADER_LEN);

impl Header {
    /// The header of a block that is made outside of a transaction; its checksum is still missing.
    pub fn new(uuid: &[u8; 16], bno: u64, want: Want, version: u64) -> Header {
        Header {
            magic: MAGIC.into(),
            crc: 0.into(),
            uuid: *uuid,
            bno: bno.into(),
            owner: want.owner.into(),
            version: version.into(),
            kind: want.kind.code().into(),
            level: 0.into(),
            epoch: 0.into(),
            slot: 0.into(),
            reserved: [0; 6],
        }
    }
}

/// The header of a block, unjudged.
pub fn header(block: &[u8; BLOCK_LEN]) -> &Header {
    Header::ref_from_bytes(&block[..HEADER_LEN]).expect("a block holds a header")
}

/// Computes the checksum of a block that is about to be written.
pub fn seal(block: &mut [u8; BLOCK_LEN]) {
    let crc = checksum(block);
    put_checksum(block, crc);
}

/// Puts a checksum that was computed before into its place.
pub fn put_checksum(block: &mut [u8; BLOCK_LEN], crc: u32) {
    block[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// CRC32C over a block with the place of the checksum zero.
pub fn checksum(block: &[u8; BLOCK_LEN]) -> u32 {
    let mut crc = Crc32c::new();
    crc.update(&block[..4]);
    crc.update(&[0; 4]);
    crc.update(&block[8..]);
    crc.value()
}

/// Tells whether a block that was read from `bno` is what is wanted there.
pub fn check(block: &[u8; BLOCK_LEN], uuid: &[u8; 16], bno: u64, want: Want) -> Result<(), Damage> {
    let found = header(block);
    let fault = if found.magic.get() != MAGIC {
        Fault::Magic
    } else if found.crc.get() != checksum(block) {
        Fault::Checksum
    } else if found.uuid != *uuid {
        Fault::ForeignVolume
    } else if found.bno.get() != bno {
        Fault::Misplaced
    } else if found.kind.get() != want.kind.code() {
        Fault::Kind
    } else if found.owner.get() != want.owner {
        Fault::Owner
    } else if found.reserved != [0; 6] {
        Fault::Reserved
    } else {
        return Ok(());
    };
    Err(Damage { bno, want, fault })
}

//! What a logical unit is, told once at its start.

use alloc::string::String;
use alloc::vec::Vec;

use crate::scsi::data::PortGroup;

/// Identity, size and abilities of a logical unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnitConfig {
    /// T10 vendor identification, at most 8 characters.
    pub vendor: String,
    /// Product, at most 16 characters.
    pub product: String,
    /// Revision, at most 4 characters.
    pub revision: String,
    /// Serial number, the same on every path and after every restart.
    pub serial: String,
    /// A number of the NAA registry, 8 or 16 bytes; the name that multipath goes by.
    pub naa: Vec<u8>,
    /// iSCSI name of the target device, empty where there is none.
    pub target_name: String,
    /// Bytes of a block.
    pub block_len: u32,
    /// Number of blocks, at least one.
    pub blocks: u64,
    /// Logical blocks per physical block, as a power of two.
    pub physical_exponent: u8,
    /// Nothing may be written.
    pub read_only: bool,
    /// Blocks can be unmapped, and read as zeroes afterwards.
    pub thin: bool,
    /// There is a volatile cache, which a flush writes back.
    pub write_cache: bool,
    /// Reservations can be stored so that they survive power loss.
    pub keeps_reservations: bool,
    /// What single commands may ask for.
    pub limits: Limits,
    /// The ports of the target by groups.
    pub groups: Vec<PortGroup>,
}

/// What single commands may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Most blocks of READ, WRITE, VERIFY and their kin; zero for no limit.
    pub transfer_blocks_max: u32,
    /// Blocks of the best transfer; zero where there is none.
    pub transfer_blocks_best: u32,
    /// Most blocks of UNMAP, all its ranges together.
    pub unmap_blocks_max: u32,
    /// Most ranges of UNMAP.
    pub unmap_ranges_max: u32,
    /// Blocks that ranges of UNMAP are best a multiple of.
    pub unmap_granularity: u32,
    /// Most blocks of WRITE SAME.
    pub write_same_blocks_max: u64,
    /// Most blocks of COMPARE AND WRITE.
    pub compare_blocks_max: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            transfer_blocks_max: 1 << 16,
            transfer_blocks_best: 0,
            unmap_blocks_max: 1 << 20,
            unmap_ranges_max: 256,
            unmap_granularity: 1,
            write_same_blocks_max: 1 << 20,
            compare_blocks_max: 255,
        }
    }
}

impl Default for UnitConfig {
    fn default() -> Self {
        UnitConfig {
            vendor: "BYWAY".into(),
            product: "DISK".into(),
            revision: "1".into(),
            serial: String::new(),
            naa: Vec::new(),
            target_name: String::new(),
            block_len: 512,
            blocks: 1,
            physical_exponent: 0,
            read_only: false,
            thin: false,
            write_cache: false,
            keeps_reservations: false,
            limits: Limits::default(),
            groups: Vec::from([PortGroup { id: 1, ports: Vec::from([1]), ..<_>::default() }]),
        }
    }
}

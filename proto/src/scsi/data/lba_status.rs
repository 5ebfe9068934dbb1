//! GET LBA STATUS data (SBC-3 section 5.6.2).

use alloc::vec::Vec;

const HEADER_LEN: usize = 8;
const DESCRIPTOR_LEN: usize = 16;
/// Bytes of the header that the length does not count.
const UNCOUNTED: u32 = 4;

/// How blocks are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provisioning {
    /// They have a place, or nothing is known.
    Mapped,
    /// They have none.
    Deallocated,
    /// A place is kept for them.
    Anchored,
    /// A value without meaning here.
    Other(u8),
}

/// A run of blocks that are kept alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LbaStatus {
    /// First block.
    pub lba: u64,
    /// Number of blocks.
    pub blocks: u32,
    /// How they are kept.
    pub provisioning: Provisioning,
}

impl LbaStatus {
    /// The list.
    #[must_use]
    pub fn build_list(runs: &[LbaStatus]) -> Vec<u8> {
        let len = (runs.len() * DESCRIPTOR_LEN) as u32 + HEADER_LEN as u32 - UNCOUNTED;
        let mut bytes = Vec::from(len.to_be_bytes());
        bytes.extend([0; 4]);
        for run in runs {
            bytes.extend(run.lba.to_be_bytes());
            bytes.extend(run.blocks.to_be_bytes());
            bytes.extend([run.provisioning.bits(), 0, 0, 0]);
        }
        bytes
    }

    /// The runs that arrived whole.
    #[must_use]
    pub fn parse_list(bytes: &[u8]) -> Option<Vec<LbaStatus>> {
        let len = u32::from_be_bytes(*bytes.first_chunk()?).saturating_sub(UNCOUNTED);
        let runs = super::body(bytes, HEADER_LEN, len).chunks_exact(DESCRIPTOR_LEN);
        Some(runs.filter_map(LbaStatus::parse).collect())
    }

    fn parse(bytes: &[u8]) -> Option<LbaStatus> {
        let (lba, rest) = bytes.split_first_chunk()?;
        let (blocks, rest) = rest.split_first_chunk()?;
        Some(LbaStatus {
            lba: u64::from_be_bytes(*lba),
            blocks: u32::from_be_bytes(*blocks),
            provisioning: Provisioning::from_bits(rest.first()? & 0x0f),
        })
    }
}

impl Provisioning {
    fn from_bits(bits: u8) -> Provisioning {
        match bits {
            0 => Provisioning::Mapped,
            1 => Provisioning::Deallocated,
            2 => Provisioning::Anchored,
            other => Provisioning::Other(other),
        }
    }

    fn bits(self) -> u8 {
        match self {
            Provisioning::Mapped => 0,
            Provisioning::Deallocated => 1,
            Provisioning::Anchored => 2,
            Provisioning::Other(bits) => bits & 0x0f,
        }
    }
}

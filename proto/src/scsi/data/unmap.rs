//! The parameter list of UNMAP (SBC-3 section 5.28.2).

use alloc::vec::Vec;

use crate::scsi::{Sense, SenseCode};

const HEADER_LEN: usize = 8;
const RANGE_LEN: usize = 16;

/// Blocks whose content is no longer needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnmapRange {
    /// First block.
    pub lba: u64,
    /// Number of blocks; zero is legal and does nothing.
    pub blocks: u32,
}

/// The parameter list.
///
/// # Panics
/// With more than 4095 ranges, whose length the list cannot tell.
#[must_use]
pub fn build_unmap(ranges: &[UnmapRange]) -> Vec<u8> {
    let data_len = u16::try_from(ranges.len() * RANGE_LEN).expect("at most 4095 ranges");
    let mut bytes = Vec::with_capacity(HEADER_LEN + usize::from(data_len));
    bytes.extend((data_len + HEADER_LEN as u16 - 2).to_be_bytes());
    bytes.extend(data_len.to_be_bytes());
    bytes.extend([0; 4]);
    for range in ranges {
        bytes.extend(range.lba.to_be_bytes());
        bytes.extend(range.blocks.to_be_bytes());
        bytes.extend([0; 4]);
    }
    bytes
}

/// The ranges of a list, which may be empty. A last range that is cut off is ignored, as the
/// standard asks.
///
/// # Errors
/// A list too short for its header is a parameter list length error.
pub fn parse_unmap(bytes: &[u8]) -> Result<Vec<UnmapRange>, Sense> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let [_, _, high, low, _, _, _, _, rest @ ..] = bytes else {
        return Err(Sense::illegal(SenseCode::PARAMETER_LIST_LENGTH_ERROR));
    };
    let len = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
    Ok(rest[..len].chunks_exact(RANGE_LEN).filter_map(parse_range).collect())
}

fn parse_range(bytes: &[u8]) -> Option<UnmapRange> {
    let (lba, rest) = bytes.split_first_chunk()?;
    let blocks = rest.first_chunk()?;
    Some(UnmapRange { lba: u64::from_be_bytes(*lba), blocks: u32::from_be_bytes(*blocks) })
}

//! REPORT LUNS data (SPC-4 section 6.33).

use alloc::vec::Vec;

use crate::scsi::Lun;

const HEADER_LEN: usize = 8;

/// The list of logical units.
#[must_use]
pub fn build_luns(luns: &[Lun]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + luns.len() * 8);
    bytes.extend((luns.len() as u32 * 8).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(luns.iter().flat_map(|lun| lun.to_bytes()));
    bytes
}

/// The logical units that arrived, and how many bytes the whole list has with its header: with more
/// than arrived, the initiator asks again with a larger allocation length.
#[must_use]
pub fn parse_luns(bytes: &[u8]) -> Option<(Vec<Lun>, u64)> {
    let len = u32::from_be_bytes(*bytes.first_chunk()?);
    let entries = super::body(bytes, HEADER_LEN, len).chunks_exact(8);
    let luns = entries.filter_map(|entry| entry.first_chunk().copied().map(Lun::from_bytes));
    Some((luns.collect(), u64::from(len) + HEADER_LEN as u64))
}

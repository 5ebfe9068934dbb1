//! How large a logical unit is, and what single commands may ask for (SBC-3 sections 5.15, 5.16 and
//! 6.6.3).

use byway_iscsi_initiator::RawSession;
use byway_proto::scsi::data::{BlockLimits, Capacity, vpd};
use byway_proto::scsi::{Command, Lun};
use serde::Serialize;

use super::Unit;

/// Size and shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Blocks.
    pub blocks: u64,
    /// Bytes of a block.
    pub block_len: u32,
    /// Bytes of a physical block.
    pub physical_block_len: u64,
    /// Blocks need not be backed by storage.
    pub is_thin: bool,
    /// Unmapped blocks read as zeroes.
    pub reads_zeroes: bool,
    /// Most blocks of one transfer; zero for no limit.
    #[serde(skip)]
    pub transfer_max: u32,
}

impl Size {
    /// Bytes in all.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.blocks.saturating_mul(u64::from(self.block_len))
    }
}

/// The size of a disk.
///
/// # Errors
/// Where it is not told, or makes no sense; in words.
pub async fn size(session: &RawSession, lun: Lun) -> Result<Size, String> {
    let unit = Unit { session, lun };
    let allocation = Capacity::LEN_16 as u32;
    let long = unit.ask(Command::ReadCapacity16 { allocation }, Capacity::LEN_16).await;
    let found = match long {
        Ok(bytes) => Capacity::parse_16(&bytes),
        Err(_) => Capacity::parse_10(&unit.ask(Command::ReadCapacity10, 8).await?),
    };
    let found = found.ok_or("its READ CAPACITY data are too short")?;
    if !found.block_len.is_power_of_two() || !(512..=65536).contains(&found.block_len) {
        return Err(format!("blocks of {} bytes are not served", found.block_len));
    }
    Ok(Size {
        blocks: found.last_lba.saturating_add(1),
        block_len: found.block_len,
        physical_block_len: u64::from(found.block_len) << found.physical_exponent.min(16),
        is_thin: found.is_thin,
        reads_zeroes: found.reads_zeroes,
        transfer_max: limits(&unit).await.transfer_blocks_max,
    })
}

/// The block limits page; zero where nothing is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names are those of the page")]
pub struct Limits {
    pub transfer_blocks_max: u32,
    pub transfer_blocks_best: u32,
    pub unmap_blocks_max: u32,
    pub unmap_ranges_max: u32,
    pub unmap_granularity: u32,
    pub write_same_blocks_max: u64,
    pub compare_blocks_max: u8,
}

pub(super) async fn limits(unit: &Unit<'_>) -> Limits {
    let page = unit.inquire(Some(vpd::BLOCK_LIMITS)).await.ok();
    let limits = page.and_then(|page| BlockLimits::parse(&page)).unwrap_or_default();
    Limits {
        transfer_blocks_max: limits.transfer_blocks_max,
        transfer_blocks_best: limits.transfer_blocks_best,
        unmap_blocks_max: limits.unmap_blocks_max,
        unmap_ranges_max: limits.unmap_ranges_max,
        unmap_granularity: limits.unmap_granularity,
        write_same_blocks_max: limits.write_same_blocks_max,
        compare_blocks_max: limits.compare_blocks_max,
    }
}

//! INQUIRY: standard data and vital product data of this logical unit (SPC-4 sections 6.6 and 7.8).

use alloc::vec::Vec;

use super::{LogicalUnit, NexusId, ScsiReply, invalid_cdb};
use crate::scsi::cdb::Inquiry;
use crate::scsi::data::{
    BlockLimits, Characteristics, Designator, StandardInquiry, ThinProvisioning, vpd,
};

/// TPGS: states change without being asked to.
const IMPLICIT_ALUA: u8 = 1;
/// Provisioning type: thin.
const THIN: u8 = 2;
const VENDOR_LEN: usize = 8;

impl LogicalUnit {
    pub(super) fn inquiry(
        &self,
        nexus: &NexusId,
        inquiry: Inquiry,
    ) -> Result<ScsiReply, ScsiReply> {
        let bytes = match inquiry.page {
            None => Vec::from(self.standard_inquiry().build()),
            Some(page) => self.vital_page(nexus, page).ok_or_else(|| invalid_cdb(2))?,
        };
        Ok(ScsiReply::data(bytes, inquiry.allocation.into()))
    }

    fn standard_inquiry(&self) -> StandardInquiry {
        let config = &self.config;
        let names = (&config.vendor, &config.product, &config.revision);
        let standard = StandardInquiry::block_device(names.0, names.1, names.2);
        StandardInquiry { port_groups: IMPLICIT_ALUA, ..standard }
    }

    fn vital_page(&self, nexus: &NexusId, page: u8) -> Option<Vec<u8>> {
        Some(match page {
            vpd::SUPPORTED => vpd::build_page(vpd::SUPPORTED, self.vital_pages()),
            vpd::SERIAL => vpd::build_page(vpd::SERIAL, self.config.serial.as_bytes()),
            vpd::IDENTIFICATION => vpd::build_identification(&self.designators(nexus)),
            vpd::EXTENDED => vpd::build_extended(self.config.write_cache),
            vpd::BLOCK_LIMITS => self.block_limits().build(),
            vpd::CHARACTERISTICS => Characteristics::SOLID.build(),
            vpd::PROVISIONING => self.provisioning().build(),
            _ => return None,
        })
    }

    fn vital_pages(&self) -> &'static [u8] {
        &[
            vpd::SUPPORTED,
            vpd::SERIAL,
            vpd::IDENTIFICATION,
            vpd::EXTENDED,
            vpd::BLOCK_LIMITS,
            vpd::CHARACTERISTICS,
            vpd::PROVISIONING,
        ]
    }

    /// The logical unit by every name it has, then the port that was asked.
    fn designators(&self, nexus: &NexusId) -> Vec<Designator> {
        let config = &self.config;
        let mut t10 = Vec::from(config.vendor.as_bytes());
        t10.resize(VENDOR_LEN, b' ');
        t10.extend(config.serial.bytes());
        let mut designators = Vec::from([Designator::T10(t10)]);
        if !config.naa.is_empty() {
            designators.push(Designator::Naa(config.naa.clone()));
        }
        designators.push(Designator::RelativePort(nexus.port));
        if let Some(group) = self.group_of(nexus.port) {
            designators.push(Designator::PortGroup(group.id));
        }
        if !config.target_name.is_empty() {
            designators.push(Designator::TargetName(config.target_name.clone().into_bytes()));
        }
        designators
    }

    fn block_limits(&self) -> BlockLimits {
        let limits = &self.config.limits;
        let if_thin = |limit| if self.config.thin { limit } else { 0 };
        BlockLimits {
            write_same_non_zero: true,
            compare_blocks_max: limits.compare_blocks_max,
            granularity: 0,
            transfer_blocks_max: limits.transfer_blocks_max,
            transfer_blocks_best: limits.transfer_blocks_best,
            prefetch_blocks_max: 0,
            unmap_blocks_max: if_thin(limits.unmap_blocks_max),
            unmap_ranges_max: if_thin(limits.unmap_ranges_max),
            unmap_granularity: if_thin(limits.unmap_granularity),
            write_same_blocks_max: limits.write_same_blocks_max,
        }
    }

    fn provisioning(&self) -> ThinProvisioning {
        let is_thin = self.config.thin;
        ThinProvisioning {
            unmap: is_thin,
            write_same_16: is_thin,
            write_same_10: is_thin,
            reads_zeroes: is_thin,
            kind: if is_thin { THIN } else { 0 },
        }
    }
}

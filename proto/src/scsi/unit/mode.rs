//! MODE SENSE and MODE SELECT: caching, control and informational exceptions (SPC-4 section 7.5, SBC-3
//! section 6.4).
//!
//! What MODE SELECT may change is what the changeable values show, bit by bit; a list that changes
//! anything else is refused and changes nothing.

use alloc::vec::Vec;

use super::{
    Action, BlockOp, LogicalUnit, NexusId, ScsiReply, UnitConfig, illegal, invalid_cdb,
    parameter_list,
};
use crate::scsi::cdb::{ModeSelect, ModeSense, PageControl};
use crate::scsi::data::{CachingPage, ControlPage, ModeHeader, build_mode, mode_pages};
use crate::scsi::{Sense, SenseCode};

const ALL_PAGES: u8 = 0x3f;
const ALL_SUBPAGES: u8 = 0xff;
const EXCEPTIONS: u8 = 0x1c;
/// Nothing is reported by itself.
const EXCEPTIONS_PAGE: [u8; 12] = [EXCEPTIONS, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Bytes of a page's header, which no mask is for.
const PAGE_HEADER_LEN: usize = 2;
const PAGES: [u8; 3] = [CachingPage::PAGE, ControlPage::PAGE, EXCEPTIONS];

/// The mode parameters that can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mode {
    pub(super) caching: CachingPage,
    pub(super) control: ControlPage,
}

impl Mode {
    pub(super) fn at_start(config: &UnitConfig) -> Mode {
        let caching = CachingPage { write_cache: config.write_cache, no_read_cache: false };
        Mode { caching, control: ControlPage::default() }
    }

    fn page(self, page: u8) -> Option<Vec<u8>> {
        Some(match page {
            CachingPage::PAGE => Vec::from(self.caching.build()),
            ControlPage::PAGE => Vec::from(self.control.build()),
            EXCEPTIONS => Vec::from(EXCEPTIONS_PAGE),
            _ => return None,
        })
    }

    fn set(&mut self, page: &[u8]) {
        if let Some(caching) = CachingPage::parse(page) {
            self.caching = caching;
        }
        if let Some(control) = ControlPage::parse(page) {
            self.control = control;
        }
    }
}

impl LogicalUnit {
    pub(super) fn mode_sense(&self, sense: ModeSense) -> Result<ScsiReply, ScsiReply> {
        if sense.control == PageControl::Saved {
            return Err(illegal(SenseCode::SAVING_NOT_SUPPORTED));
        }
        if sense.subpage != 0 && !(sense.page == ALL_PAGES && sense.subpage == ALL_SUBPAGES) {
            return Err(invalid_cdb(3));
        }
        let mut pages = Vec::new();
        for page in PAGES.into_iter().filter(|page| [*page, ALL_PAGES].contains(&sense.page)) {
            pages.extend(self.mode_page(page, sense.control).unwrap_or_default());
        }
        if pages.is_empty() {
            return Err(invalid_cdb(2));
        }
        let header = ModeHeader { is_write_protected: self.is_write_protected(), has_fua: true };
        let bytes = build_mode(sense.is_ten, header, &self.block_descriptor(&sense), &pages);
        Ok(ScsiReply::data(bytes, sense.allocation.into()))
    }

    fn mode_page(&self, page: u8, control: PageControl) -> Option<Vec<u8>> {
        match control {
            PageControl::Default => Mode::at_start(&self.config).page(page),
            PageControl::Changeable => self.changeable(page),
            PageControl::Current | PageControl::Saved => self.mode.page(page),
        }
    }

    /// A one for each bit that may change: pages with and without the changeable bits differ there.
    fn changeable(&self, page: u8) -> Option<Vec<u8>> {
        let none = Mode { caching: CachingPage::default(), control: ControlPage::default() };
        let caching = CachingPage { write_cache: self.config.write_cache, no_read_cache: false };
        let control =
            ControlPage { descriptor_sense: true, task_aborted: true, write_protect: true };
        let mut mask = Mode { caching, control }.page(page)?;
        for (bits, unset) in mask.iter_mut().zip(none.page(page)?).skip(PAGE_HEADER_LEN) {
            *bits ^= unset;
        }
        Some(mask)
    }

    fn block_descriptor(&self, sense: &ModeSense) -> Vec<u8> {
        let mut bytes = Vec::new();
        if sense.no_block_descriptors {
            return bytes;
        }
        if sense.long_lba {
            bytes.extend(self.config.blocks.to_be_bytes());
            bytes.extend([0; 4]);
        } else {
            let blocks = u32::try_from(self.config.blocks).unwrap_or(u32::MAX);
            bytes.extend(blocks.to_be_bytes());
        }
        // In the short form the length has three bytes below a reserved one.
        bytes.extend(self.config.block_len.to_be_bytes());
        bytes
    }

    pub(super) fn mode_select(
        &mut self,
        nexus: &NexusId,
        select: ModeSelect,
        list: &[u8],
    ) -> Result<Action, ScsiReply> {
        if select.save {
            return Err(invalid_cdb(1));
        }
        let list = parameter_list(list, select.list_len.into())?;
        if list.is_empty() {
            return Err(ScsiReply::good());
        }
        let mode = self.select(list, select.is_ten)?;
        let is_cache_off = self.mode.caching.write_cache && !mode.caching.write_cache;
        if mode != self.mode {
            self.attentions.push_others(nexus, SenseCode::MODE_PARAMETERS_CHANGED);
        }
        self.mode = mode;
        // What waits in the cache must not wait on when the cache is off (SBC-3 section 6.4.5).
        let blocks = if is_cache_off { self.config.blocks } else { 0 };
        Ok(self.io(BlockOp::Flush, 0, blocks, false))
    }

    fn select(&self, list: &[u8], is_ten: bool) -> Result<Mode, ScsiReply> {
        let too_short = || illegal(SenseCode::PARAMETER_LIST_LENGTH_ERROR);
        let (_, pages) = ModeHeader::parse(list, is_ten).ok_or_else(too_short)?;
        let mut mode = self.mode;
        let mut len = 0;
        for (page, subpage, bytes) in mode_pages(pages) {
            let is_fit = subpage == 0 && self.is_allowed(page, bytes);
            if !is_fit {
                return Err(ScsiReply::check(Sense::invalid_parameter(
                    (list.len() - pages.len() + len) as u16,
                )));
            }
            mode.set(bytes);
            len += bytes.len();
        }
        if len == pages.len() { Ok(mode) } else { Err(too_short()) }
    }

    /// True where the page differs from the present one in changeable bits only.
    fn is_allowed(&self, page: u8, bytes: &[u8]) -> bool {
        let (Some(present), Some(mask)) = (self.mode.page(page), self.changeable(page)) else {
            return false;
        };
        let bits = bytes.iter().zip(&present).zip(&mask).skip(PAGE_HEADER_LEN);
        bytes.len() == present.len()
            && bits.fold(true, |is_fit, ((new, old), mask)| is_fit && (new ^ old) & !mask == 0)
    }
}

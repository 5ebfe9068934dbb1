//! Mode parameters: headers, the caching and the control page (SPC-4 sections 7.5.5 and 7.5.8, SBC-3
//! section 6.4.5).

use alloc::vec::Vec;

const WRITE_PROTECT: u8 = 0x80;
const DPO_FUA: u8 = 0x10;
const PAGE_MASK: u8 = 0x3f;
const SUBPAGE_FORMAT: u8 = 0x40;

/// What a mode parameter header tells, in six-byte or ten-byte form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ModeHeader {
    /// The medium cannot be written.
    pub is_write_protected: bool,
    /// DPO and FUA are understood.
    pub has_fua: bool,
}

/// Mode data: header, block descriptor (where there is one) and pages.
#[must_use]
pub fn build_mode(is_ten: bool, header: ModeHeader, descriptor: &[u8], pages: &[u8]) -> Vec<u8> {
    let protect = if header.is_write_protected { WRITE_PROTECT } else { 0 };
    let specific = protect | if header.has_fua { DPO_FUA } else { 0 };
    let body_len = descriptor.len() + pages.len();
    let mut bytes = if is_ten {
        let [high, low] = (body_len as u16 + 6).to_be_bytes();
        let long = u8::from(descriptor.len() == 16);
        Vec::from([high, low, 0, specific, long, 0, 0, descriptor.len() as u8])
    } else {
        Vec::from([body_len as u8 + 3, 0, specific, descriptor.len() as u8])
    };
    bytes.extend_from_slice(descriptor);
    bytes.extend_from_slice(pages);
    bytes
}

impl ModeHeader {
    /// Header and pages of mode data, also of the list of MODE SELECT. The block descriptor is left
    /// out. Nothing where the bytes end before the pages.
    #[must_use]
    pub fn parse(bytes: &[u8], is_ten: bool) -> Option<(ModeHeader, &[u8])> {
        let (specific, descriptor_len, header_len) = match (is_ten, bytes) {
            (false, [_, _, specific, len, ..]) => (*specific, usize::from(*len), 4),
            (true, [_, _, _, specific, _, _, high, low, ..]) => {
                (*specific, usize::from(u16::from_be_bytes([*high, *low])), 8)
            }
            _ => return None,
        };
        let is_write_protected = specific & WRITE_PROTECT != 0;
        let header = ModeHeader { is_write_protected, has_fua: specific & DPO_FUA != 0 };
        Some((header, bytes.get(header_len + descriptor_len..)?))
    }
}

/// The pages one after the other: page, subpage and the whole page with its header; ends at the
/// first that is cut off.
pub fn pages(mut rest: &[u8]) -> impl Iterator<Item = (u8, u8, &[u8])> {
    core::iter::from_fn(move || {
        let (page, subpage, len) = match *rest {
            [page, len, ..] if page & SUBPAGE_FORMAT == 0 => (page, 0, 2 + usize::from(len)),
            [page, subpage, high, low, ..] => {
                (page, subpage, 4 + usize::from(u16::from_be_bytes([high, low])))
            }
            _ => return None,
        };
        let whole = rest.get(..len)?;
        rest = &rest[len..];
        Some((page & PAGE_MASK, subpage, whole))
    })
}

/// Page 08h.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CachingPage {
    /// Writes may wait in a volatile cache (WCE).
    pub write_cache: bool,
    /// Reads bypass the cache (RCD).
    pub no_read_cache: bool,
}

impl CachingPage {
    /// The page.
    pub const PAGE: u8 = 0x08;
    /// Its length with the header.
    pub const LEN: usize = 20;
    const WCE: u8 = 0x04;
    const RCD: u8 = 0x01;

    /// The bytes.
    #[must_use]
    pub fn build(self) -> [u8; CachingPage::LEN] {
        let mut bytes = [0; CachingPage::LEN];
        (bytes[0], bytes[1]) = (Self::PAGE, (Self::LEN - 2) as u8);
        bytes[2] = if self.write_cache { Self::WCE } else { 0 }
            | if self.no_read_cache { Self::RCD } else { 0 };
        bytes
    }

    /// From a page.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<CachingPage> {
        let [page, _, flags, ..] = *bytes else { return None };
        let (write_cache, no_read_cache) = (flags & Self::WCE != 0, flags & Self::RCD != 0);
        (page & PAGE_MASK == Self::PAGE).then_some(CachingPage { write_cache, no_read_cache })
    }
}

/// Page 0Ah.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ControlPage {
    /// Sense data are in descriptor format (D_SENSE).
    pub descriptor_sense: bool,
    /// Commands that others ended are answered with TASK ABORTED (TAS).
    pub task_aborted: bool,
    /// Writing is forbidden by software (SWP).
    pub write_protect: bool,
}

impl ControlPage {
    /// The page.
    pub const PAGE: u8 = 0x0a;
    /// Its length with the header.
    pub const LEN: usize = 12;
    const D_SENSE: u8 = 0x04;
    const TAS: u8 = 0x40;
    const SWP: u8 = 0x08;
    /// QUEUE ALGORITHM MODIFIER: commands may be reordered without restriction.
    const UNRESTRICTED: u8 = 0x10;

    /// The bytes.
    #[must_use]
    pub fn build(self) -> [u8; ControlPage::LEN] {
        let mut bytes = [0; ControlPage::LEN];
        (bytes[0], bytes[1]) = (Self::PAGE, (Self::LEN - 2) as u8);
        bytes[2] = if self.descriptor_sense { Self::D_SENSE } else { 0 };
        bytes[3] = Self::UNRESTRICTED;
        bytes[4] = if self.write_protect { Self::SWP } else { 0 };
        bytes[5] = if self.task_aborted { Self::TAS } else { 0 };
        bytes
    }

    /// From a page.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<ControlPage> {
        let [page, _, sense, _, protect, aborted, ..] = *bytes else { return None };
        let control = ControlPage {
            descriptor_sense: sense & Self::D_SENSE != 0,
            task_aborted: aborted & Self::TAS != 0,
            write_protect: protect & Self::SWP != 0,
        };
        (page & PAGE_MASK == Self::PAGE).then_some(control)
    }
}

//! Vital product data pages: header, list of pages, serial number, device identification and
//! extended INQUIRY data (SPC-4 section 7.8).

use alloc::vec::Vec;

use super::Designator;

/// Supported pages.
pub const SUPPORTED: u8 = 0x00;
/// Unit serial number.
pub const SERIAL: u8 = 0x80;
/// Device identification.
pub const IDENTIFICATION: u8 = 0x83;
/// Extended INQUIRY data.
pub const EXTENDED: u8 = 0x86;
/// Block limits.
pub const BLOCK_LIMITS: u8 = 0xb0;
/// Block device characteristics.
pub const CHARACTERISTICS: u8 = 0xb1;
/// Logical block provisioning.
pub const PROVISIONING: u8 = 0xb2;

const HEADER_LEN: usize = 4;
/// Extended INQUIRY data are 64 bytes long with their header.
const EXTENDED_LEN: usize = 60;
/// HEADSUP, ORDSUP and SIMPSUP: the task attributes that are understood.
const ATTRIBUTES: u8 = 0x07;
/// A volatile cache may be there (V_SUP).
const VOLATILE: u8 = 0x01;

/// A page with its header (SPC-4 section 7.8.1).
#[must_use]
pub fn build_page(page: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = (body.len() as u16).to_be_bytes();
    let mut bytes = Vec::from([0, page, high, low]);
    bytes.extend_from_slice(body);
    bytes
}

/// Page code and body, as far as it is there.
#[must_use]
pub fn parse_page(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [_, page, high, low, ..] = bytes else { return None };
    let len = u32::from(u16::from_be_bytes([*high, *low]));
    Some((*page, super::body(bytes, HEADER_LEN, len)))
}

/// The body of that page.
#[must_use]
pub fn body_of(bytes: &[u8], wanted: u8) -> Option<&[u8]> {
    parse_page(bytes).filter(|(page, _)| *page == wanted).map(|(_, body)| body)
}

/// The page of device identification.
#[must_use]
pub fn build_identification(designators: &[Designator]) -> Vec<u8> {
    let mut body = Vec::new();
    for designator in designators {
        designator.append(&mut body);
    }
    build_page(IDENTIFICATION, &body)
}

/// The designators of a page of device identification; what is cut off is left out.
#[must_use]
pub fn parse_identification(bytes: &[u8]) -> Option<Vec<Designator>> {
    let mut rest = body_of(bytes, IDENTIFICATION)?;
    let mut designators = Vec::new();
    while let Some((designator, behind)) = Designator::parse(rest) {
        designators.push(designator);
        rest = behind;
    }
    Some(designators)
}

/// The page of extended INQUIRY data of a block device without protection information.
#[must_use]
pub fn build_extended(has_volatile_cache: bool) -> Vec<u8> {
    let mut body = [0; EXTENDED_LEN];
    body[1] = ATTRIBUTES;
    body[2] = if has_volatile_cache { VOLATILE } else { 0 };
    build_page(EXTENDED, &body)
}

/// Whether a page of extended INQUIRY data tells of a volatile cache.
#[must_use]
pub fn parse_extended(bytes: &[u8]) -> Option<bool> {
    body_of(bytes, EXTENDED)?.get(2).map(|flags| flags & VOLATILE != 0)
}

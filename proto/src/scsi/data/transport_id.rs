//! TransportID of an iSCSI initiator port: its name and the ISID of the session (SPC-4 section
//! 7.6.4.6, RFC 7143 section 4.4.2).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

const ISCSI: u8 = 0x05;
const PROTOCOL_MASK: u8 = 0x0f;
/// The format with an ISID behind the name.
const WITH_ISID: u8 = 0x40;
const FORMAT_MASK: u8 = 0xc0;
const SEPARATOR: &str = ",i,0x";
const HEADER_LEN: usize = 4;
/// Shortest name field.
const NAME_LEN_MIN: usize = 20;
/// Longest iSCSI name (RFC 7143 section 4.2.7.1).
pub(crate) const NAME_LEN_MAX: usize = 223;

/// An initiator port by its world-wide name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InitiatorPort {
    /// The iSCSI name of the initiator.
    pub name: String,
    /// Six bytes that tell its ports apart.
    pub isid: [u8; 6],
}

impl InitiatorPort {
    /// The TransportID.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let mut text = self.name.clone();
        text.push_str(SEPARATOR);
        for byte in self.isid {
            write!(text, "{byte:02x}").expect("a string takes everything");
        }
        // Terminated by at least one zero.
        let len = (text.len() + 1).next_multiple_of(4).max(NAME_LEN_MIN);
        let [high, low] = (len as u16).to_be_bytes();
        let mut bytes = Vec::from([ISCSI | WITH_ISID, 0, high, low]);
        bytes.extend(text.bytes());
        bytes.resize(HEADER_LEN + len, 0);
        bytes
    }

    /// The first TransportID and what follows it. Only iSCSI ports with an ISID are understood: a
    /// name alone stands for all ports of a device, and no registration is for those.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<(InitiatorPort, &[u8])> {
        let [kind, _, high, low, ..] = *bytes else { return None };
        let end = HEADER_LEN + usize::from(u16::from_be_bytes([high, low]));
        let field = bytes.get(HEADER_LEN..end)?;
        if kind & PROTOCOL_MASK != ISCSI || kind & FORMAT_MASK != WITH_ISID {
            return None;
        }
        let text = field.split(|byte| *byte == 0).next()?;
        let (name, digits) = core::str::from_utf8(text).ok()?.rsplit_once(SEPARATOR)?;
        let is_name = !name.is_empty() && name.len() <= NAME_LEN_MAX;
        let is_number = digits.len() == 12 && digits.bytes().all(|d| d.is_ascii_hexdigit());
        if !is_name || !is_number {
            return None;
        }
        let [_, _, isid @ ..] = u64::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some((InitiatorPort { name: name.into(), isid }, &bytes[end..]))
    }
}

//! Standard INQUIRY data (SPC-4 section 6.6.2).

use core::mem::{offset_of, size_of};

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// SPC-4.
const VERSION: u8 = 0x06;
const RESPONSE_FORMAT: u8 = 0x02;
const HIERARCHICAL: u8 = 0x10;
const TPGS_SHIFT: u32 = 4;
const COMMAND_QUEUE: u8 = 0x02;
const REMOVABLE: u8 = 0x80;
/// SAM-5, iSCSI, SPC-4 and SBC-3, without a claim of a revision (SPC-4 annex E.9).
const VERSION_DESCRIPTORS: [u16; 4] = [0x00a0, 0x0960, 0x0460, 0x04c0];

/// Is there a logical unit at this number?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeripheralQualifier {
    /// A device is there.
    Connected,
    /// There is room for one.
    NotConnected,
    /// There can be none.
    Unsupported,
    /// A value without meaning here.
    Other(u8),
}

/// Who a logical unit says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StandardInquiry {
    /// Is it there?
    pub qualifier: PeripheralQualifier,
    /// 0 for a block device, 1Fh for none.
    pub device_type: u8,
    /// The medium can be taken out.
    pub is_removable: bool,
    /// ALUA: 0 none, 1 implicit, 2 explicit, 3 both.
    pub port_groups: u8,
    /// Commands queue.
    pub queues: bool,
    /// T10 vendor identification, filled up with spaces.
    pub vendor: [u8; 8],
    /// Product, filled up with spaces.
    pub product: [u8; 16],
    /// Revision, filled up with spaces.
    pub revision: [u8; 4],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    peripheral: u8,
    removable: u8,
    version: u8,
    format: u8,
    additional_len: u8,
    groups: u8,
    enclosure: u8,
    queue: u8,
    vendor: [u8; 8],
    product: [u8; 16],
    revision: [u8; 4],
    vendor_specific: [u8; 22],
    versions: [U16; 8],
    reserved: [u8; 22],
}

const _: () = assert!(size_of::<Wire>() == StandardInquiry::LEN);
const _: () = assert!(offset_of!(Wire, versions) == 58);

impl StandardInquiry {
    /// Bytes that are sent.
    pub const LEN: usize = 96;
    /// Bytes that every device sends.
    const LEN_MIN: usize = 36;

    /// A block device with those names, cut and filled up to their fields.
    #[must_use]
    pub fn block_device(vendor: &str, product: &str, revision: &str) -> StandardInquiry {
        StandardInquiry {
            qualifier: PeripheralQualifier::Connected,
            device_type: 0,
            is_removable: false,
            port_groups: 0,
            queues: true,
            vendor: super::text(vendor),
            product: super::text(product),
            revision: super::text(revision),
        }
    }

    /// What a target answers for a logical unit that does not exist (SPC-4 section 6.6.2).
    #[must_use]
    pub fn absent() -> StandardInquiry {
        let qualifier = PeripheralQualifier::Unsupported;
        StandardInquiry {
            qualifier,
            device_type: 0x1f,
            ..StandardInquiry::block_device("", "", "")
        }
    }

    /// The bytes.
    #[must_use]
    pub fn build(&self) -> [u8; StandardInquiry::LEN] {
        let mut wire = Wire::new_zeroed();
        wire.peripheral = self.qualifier.bits() << 5 | (self.device_type & 0x1f);
        wire.removable = if self.is_removable { REMOVABLE } else { 0 };
        wire.version = VERSION;
        wire.format = RESPONSE_FORMAT | HIERARCHICAL;
        wire.additional_len = (StandardInquiry::LEN - 5) as u8;
        wire.groups = (self.port_groups & 3) << TPGS_SHIFT;
        wire.queue = if self.queues { COMMAND_QUEUE } else { 0 };
        (wire.vendor, wire.product, wire.revision) = (self.vendor, self.product, self.revision);
        for (to, version) in wire.versions.iter_mut().zip(VERSION_DESCRIPTORS) {
            *to = version.into();
        }
        zerocopy::transmute!(wire)
    }

    /// From bytes; the first 36 must be there.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<StandardInquiry> {
        if bytes.len() < StandardInquiry::LEN_MIN {
            return None;
        }
        let wire: Wire = super::padded(bytes);
        Some(StandardInquiry {
            qualifier: PeripheralQualifier::from_bits(wire.peripheral >> 5),
            device_type: wire.peripheral & 0x1f,
            is_removable: wire.removable & REMOVABLE != 0,
            port_groups: wire.groups >> TPGS_SHIFT & 3,
            queues: wire.queue & COMMAND_QUEUE != 0,
            vendor: wire.vendor,
            product: wire.product,
            revision: wire.revision,
        })
    }
}

impl PeripheralQualifier {
    fn from_bits(bits: u8) -> PeripheralQualifier {
        match bits {
            0 => PeripheralQualifier::Connected,
            1 => PeripheralQualifier::NotConnected,
            3 => PeripheralQualifier::Unsupported,
            other => PeripheralQualifier::Other(other),
        }
    }

    fn bits(self) -> u8 {
        match self {
            PeripheralQualifier::Connected => 0,
            PeripheralQualifier::NotConnected => 1,
            PeripheralQualifier::Unsupported => 3,
            PeripheralQualifier::Other(bits) => bits & 7,
        }
    }
}

//! Fixed format sense data (SPC-4 section 4.5.3).

use core::mem::{offset_of, size_of};

use zerocopy::byteorder::big_endian::U32;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{FieldPointer, Sense, SenseCode, SenseKey};

/// Bytes that are sent: nothing is defined behind the sense key specific bytes.
pub(super) const LEN: usize = 18;
const CURRENT: u8 = 0x70;
const DEFERRED: u8 = 0x71;
/// The information field means something.
const VALID: u8 = 0x80;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    response_code: u8,
    obsolete: u8,
    key: u8,
    information: U32,
    additional_len: u8,
    command_specific: U32,
    asc: u8,
    ascq: u8,
    field_replaceable_unit: u8,
    key_specific: [u8; 3],
}

const _: () = assert!(size_of::<Wire>() == LEN);
const _: () = assert!(offset_of!(Wire, asc) == 12);

pub(super) fn parse(bytes: &[u8], is_deferred: bool) -> Sense {
    let mut wire = Wire::new_zeroed();
    let len = bytes.len().min(LEN);
    wire.as_mut_bytes()[..len].copy_from_slice(&bytes[..len]);
    let is_valid = wire.response_code & VALID != 0;
    Sense {
        key: SenseKey::from_low_bits(wire.key),
        code: SenseCode { asc: wire.asc, ascq: wire.ascq },
        is_deferred,
        information: is_valid.then(|| u64::from(wire.information.get())),
        field: field(&wire),
    }
}

/// The key specific bytes are a field pointer for illegal requests only.
fn field(wire: &Wire) -> Option<FieldPointer> {
    let is_illegal = SenseKey::from_low_bits(wire.key) == SenseKey::IllegalRequest;
    FieldPointer::parse(wire.key_specific).filter(|_| is_illegal)
}

pub(super) fn build(sense: &Sense) -> [u8; LEN] {
    let mut wire = Wire::new_zeroed();
    wire.response_code = if sense.is_deferred { DEFERRED } else { CURRENT };
    wire.key = sense.key as u8;
    wire.additional_len = (LEN - 8) as u8;
    (wire.asc, wire.ascq) = (sense.code.asc, sense.code.ascq);
    if let Some(information) = sense.information.and_then(|wide| u32::try_from(wide).ok()) {
        wire.response_code |= VALID;
        wire.information = information.into();
    }
    if let Some(field) = sense.field {
        wire.key_specific = field.build();
    }
    let mut bytes = [0; LEN];
    bytes.copy_from_slice(wire.as_bytes());
    bytes
}

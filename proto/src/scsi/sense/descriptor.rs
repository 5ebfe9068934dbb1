//! Descriptor format sense data (SPC-4 section 4.5.2): a header and tagged descriptors.

use alloc::vec::Vec;

use super::{FieldPointer, Sense, SenseCode, SenseKey};

const CURRENT: u8 = 0x72;
const DEFERRED: u8 = 0x73;
const HEADER_LEN: usize = 8;
/// Information descriptor, and its additional length.
const INFORMATION: [u8; 2] = [0x00, 0x0a];
/// Its valid bit.
const VALID: u8 = 0x80;
/// Sense key specific descriptor, and its additional length.
const KEY_SPECIFIC: [u8; 2] = [0x02, 0x06];

pub(super) fn parse(bytes: &[u8], is_deferred: bool) -> Sense {
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let code = SenseCode { asc: at(2), ascq: at(3) };
    let key = SenseKey::from_low_bits(at(1));
    let mut sense = Sense { is_deferred, ..Sense::new(key, code) };
    let end = bytes.len().min(HEADER_LEN + usize::from(at(7)));
    let mut rest = bytes.get(HEADER_LEN..end).unwrap_or(&[]);
    while let [tag, len, body @ ..] = rest {
        let len = usize::from(*len).min(body.len());
        let (body, behind) = body.split_at(len);
        read_descriptor(&mut sense, *tag, body);
        rest = behind;
    }
    sense
}

fn read_descriptor(sense: &mut Sense, tag: u8, body: &[u8]) {
    match (tag, body) {
        (0x00, [flags, _, information @ ..]) if flags & VALID != 0 => {
            sense.information = information.first_chunk().map(|wide| u64::from_be_bytes(*wide));
        }
        (0x02, [_, _, a, b, c, ..]) if sense.key == SenseKey::IllegalRequest => {
            sense.field = FieldPointer::parse([*a, *b, *c]);
        }
        _ => {}
    }
}

pub(super) fn build(sense: &Sense) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + 20);
    let response_code = if sense.is_deferred { DEFERRED } else { CURRENT };
    bytes.extend([response_code, sense.key as u8, sense.code.asc, sense.code.ascq, 0, 0, 0, 0]);
    if let Some(information) = sense.information {
        bytes.extend(INFORMATION);
        bytes.extend([VALID, 0]);
        bytes.extend(information.to_be_bytes());
    }
    if let Some(field) = sense.field {
        bytes.extend(KEY_SPECIFIC);
        bytes.extend([0, 0]);
        bytes.extend(field.build());
        bytes.push(0);
    }
    bytes[7] = (bytes.len() - HEADER_LEN) as u8;
    bytes
}

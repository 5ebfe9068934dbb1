//! Parameter data: what commands answer and what is sent along with them, built and parsed.
//!
//! Parsers take any bytes and answer nothing where they are too short or contradict themselves. A
//! list is read as far as its own length and the bytes allow, because an answer may be cut off at
//! the allocation length (SPC-4 section 4.3.5.6).

pub use capacity::Capacity;
pub use designator::Designator;
pub use inquiry::{PeripheralQualifier, StandardInquiry};
pub use lba_status::{LbaStatus, Provisioning};
pub use limits::{BlockLimits, Characteristics, ThinProvisioning};
pub use mode::{CachingPage, ControlPage, ModeHeader};
pub use port_groups::{AluaState, PortGroup};
pub use reserve_in::{Capabilities, FullStatus, Keys, ReservationData};
pub use reserve_out::{MoveList, ReserveList};
pub use transport_id::InitiatorPort;
pub use unmap::UnmapRange;

mod capacity;
mod designator;
mod inquiry;
mod lba_status;
mod limits;
mod luns;
mod mode;
mod opcodes;
mod port_groups;
mod reserve_in;
mod reserve_out;
#[cfg(test)]
mod tests;
mod transport_id;
mod unmap;
pub mod vpd;

pub use luns::{build_luns, parse_luns};
pub use mode::{build_mode, pages as mode_pages};
pub use opcodes::{build_opcode, build_opcodes, parse_opcode, parse_opcodes};
pub use port_groups::{build_port_groups, parse_port_groups};
pub use unmap::{build_unmap, parse_unmap};

use alloc::vec::Vec;

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// The leading structure of bytes that may be cut off: what is missing reads as zero.
fn padded<T: FromBytes + IntoBytes + FromZeros + Immutable>(bytes: &[u8]) -> T {
    let mut wire = T::new_zeroed();
    let room = wire.as_mut_bytes();
    let len = bytes.len().min(room.len());
    room[..len].copy_from_slice(&bytes[..len]);
    wire
}

/// The bytes behind a header, up to the length it tells.
fn body(bytes: &[u8], header_len: usize, body_len: u32) -> &[u8] {
    let rest = bytes.get(header_len..).unwrap_or(&[]);
    &rest[..rest.len().min(body_len as usize)]
}

/// Text in a field of fixed length: ASCII, filled up with spaces (SPC-4 section 4.4.1).
fn text<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [b' '; N];
    for (to, from) in field.iter_mut().zip(text.bytes()) {
        *to = if (0x20..0x7f).contains(&from) { from } else { b'?' };
    }
    field
}

fn append(to: &mut Vec<u8>, wire: &(impl IntoBytes + Immutable)) {
    to.extend_from_slice(wire.as_bytes());
}

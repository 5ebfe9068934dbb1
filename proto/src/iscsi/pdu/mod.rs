//! The PDUs of iSCSI, one per file (RFC 7143 section 11): 48 bytes on the wire, a struct with legal
//! meaning here.
//!
//! Reserved bits are written zero and ignored when read. Codes that the RFC reserves, and flags it
//! calls errors, are refused with a [`PduError`]. Lengths are known before the opcode is:
//! [`ahs_len`], [`data_segment_len`], and [`padding`] behind the data.

mod ahs;
mod async_message;
mod data_in;
mod data_out;
mod error;
mod initiator;
mod login_request;
mod login_response;
mod logout_request;
mod logout_response;
mod nop_in;
mod nop_out;
mod opcode;
mod r2t;
mod reject;
mod residual;
mod scsi_command;
mod scsi_response;
mod snack;
mod stage;
mod tag;
mod target;
mod task_management_request;
mod task_management_response;
#[cfg(test)]
mod tests;
mod text_request;
mod text_response;

pub use ahs::{Ahs, AhsError, AhsIter};
pub use async_message::{AsyncEvent, AsyncMessage};
pub use data_in::DataIn;
pub use data_out::DataOut;
pub use error::{Field, PduError};
pub use initiator::InitiatorPdu;
pub use login_request::LoginRequest;
pub use login_response::{LoginClass, LoginResponse, LoginStatus};
pub use logout_request::{LogoutReason, LogoutRequest};
pub use logout_response::{LogoutResponse, LogoutResult};
pub use nop_in::NopIn;
pub use nop_out::NopOut;
pub use opcode::Opcode;
pub use r2t::R2t;
pub use reject::{Reject, RejectReason};
pub use residual::Residual;
pub use scsi_command::{ScsiCommand, TaskAttribute};
pub use scsi_response::{ScsiResponse, ServiceResponse};
pub use snack::{Snack, SnackKind};
pub use stage::{LoginFlags, Stage};
use tag::U24;
pub use tag::{Isid, Itt, Ttt};
pub use target::TargetPdu;
pub use task_management_request::{TaskFunction, TaskManagementRequest};
pub use task_management_response::{TaskManagementResponse, TaskResponse};
pub use text_request::TextRequest;
pub use text_response::TextResponse;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Length of a basic header segment, in bytes.
pub const BHS_LEN: usize = 48;
/// A basic header segment as it is on the wire.
pub type Bhs = [u8; BHS_LEN];
/// Longest data segment that a header can announce, in bytes.
pub const DATA_SEGMENT_LEN_MAX: u32 = 0x00ff_ffff;

/// The bits of the first byte that are the opcode.
const OPCODE: u8 = 0x3f;
/// The I bit of the first byte.
const IMMEDIATE: u8 = 0x40;
/// The F bit of the second byte.
const FINAL: u8 = 0x80;
/// The C bit of the second byte of text PDUs.
const CONTINUE: u8 = 0x40;

/// The opcode, or nothing where the RFC reserves the code.
#[must_use]
#[inline]
pub fn opcode(bhs: &Bhs) -> Option<Opcode> {
    Opcode::from_code(bhs[0] & OPCODE)
}

/// True where an initiator wants immediate delivery.
#[must_use]
#[inline]
pub fn is_immediate(bhs: &Bhs) -> bool {
    bhs[0] & IMMEDIATE != 0
}

/// Bytes of additional header between the BHS and the header digest.
#[must_use]
#[inline]
pub fn ahs_len(bhs: &Bhs) -> u32 {
    u32::from(bhs[4]) * 4
}

/// Bytes of data, without padding and digest.
#[must_use]
#[inline]
pub fn data_segment_len(bhs: &Bhs) -> u32 {
    u32::from_be_bytes([0, bhs[5], bhs[6], bhs[7]])
}

/// Zero bytes between `len` bytes of data and the data digest.
#[must_use]
#[inline]
pub fn padding(len: u32) -> u32 {
    len.wrapping_neg() % 4
}

/// The view of one kind of header; judges nothing.
#[inline]
fn view<T: FromBytes + KnownLayout + Immutable + Unaligned>(bhs: &Bhs) -> &T {
    T::ref_from_bytes(bhs).expect("every view has the size of a header and no alignment")
}

#[inline]
fn to_bhs<T: IntoBytes + Immutable>(wire: &T) -> Bhs {
    let mut bhs = [0; BHS_LEN];
    bhs.copy_from_slice(wire.as_bytes());
    bhs
}

#[inline]
fn bit(set: bool, mask: u8) -> u8 {
    if set { mask } else { 0 }
}

/// For the PDUs that never have data (their DataSegmentLength MUST be 0).
#[inline]
fn no_data(pdu: Opcode, len: U24) -> Result<(), PduError> {
    match len.get() {
        0 => Ok(()),
        len => Err(PduError::new(pdu, Field::DataSegmentLength, len)),
    }
}

//! SCSI Response (RFC 7143 section 11.4). Sense data, where there are any, are the data segment:
//! two bytes of length, then the sense.

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BHS_LEN, Bhs, FINAL, Field, Itt, Opcode, PduError, Residual, U24, to_bhs, view};
use crate::scsi::Status;
use crate::serial::Serial;

const BIDI_OVERFLOW: u8 = 0x10;
const BIDI_UNDERFLOW: u8 = 0x08;
const OVERFLOW: u8 = 0x04;
const UNDERFLOW: u8 = 0x02;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    opcode: u8,
    flags: u8,
    response: u8,
    status: u8,
    ahs_len: u8,
    data_len: U24,
    reserved: U64,
    itt: U32,
    snack_tag: U32,
    stat_sn: U32,
    exp_cmd_sn: U32,
    max_cmd_sn: U32,
    exp_data_sn: U32,
    bidi_residual: U32,
    residual: U32,
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// What the target did with the command (RFC 7143 section 11.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceResponse {
    /// 0x00: it came to a status.
    Completed,
    /// 0x01: the target failed; the status says nothing.
    TargetFailure,
    /// 0x80 to 0xff: a failure that the vendor names.
    Vendor(u8),
}

impl ServiceResponse {
    #[inline]
    fn code(self) -> u8 {
        match self {
            ServiceResponse::Completed => 0,
            ServiceResponse::TargetFailure => 1,
            ServiceResponse::Vendor(code) => code | 0x80,
        }
    }

    #[inline]
    fn from_code(code: u8) -> Option<ServiceResponse> {
        match code {
            0 => Some(ServiceResponse::Completed),
            1 => Some(ServiceResponse::TargetFailure),
            0x80.. => Some(ServiceResponse::Vendor(code)),
            _ => None,
        }
    }
}

/// The end of a SCSI task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScsiResponse {
    /// Whether there is a status at all.
    pub response: ServiceResponse,
    /// The SCSI status; GOOD where `response` is not `Completed`.
    pub status: Status,
    /// What is left of the data; none where `response` is not `Completed`.
    pub residual: Residual,
    /// The same for the read half of a bidirectional command.
    pub bidi_residual: Residual,
    /// Length of sense and response data, in bytes.
    pub data_len: u32,
    /// The task.
    pub itt: Itt,
    /// SNACK Tag, or 0.
    pub snack_tag: u32,
    /// The number of this response.
    pub stat_sn: Serial,
    /// First command not yet received in order.
    pub exp_cmd_sn: Serial,
    /// Last command that may be sent.
    pub max_cmd_sn: Serial,
    /// How many R2T and Data-In PDUs were sent for the command.
    pub exp_data_sn: u32,
}

impl ScsiResponse {
    /// The header.
    #[must_use]
    #[inline]
    pub fn encode(&self) -> Bhs {
        let bidi = self.bidi_residual.flag(BIDI_OVERFLOW, BIDI_UNDERFLOW);
        to_bhs(&Wire {
            opcode: Opcode::ScsiResponse.byte(false),
            flags: FINAL | bidi | self.residual.flag(OVERFLOW, UNDERFLOW),
            response: self.response.code(),
            status: self.status.to_byte(),
            ahs_len: 0,
            data_len: U24::new(self.data_len),
            reserved: U64::ZERO,
            itt: self.itt.0.into(),
            snack_tag: self.snack_tag.into(),
            stat_sn: self.stat_sn.0.into(),
            exp_cmd_sn: self.exp_cmd_sn.0.into(),
            max_cmd_sn: self.max_cmd_sn.0.into(),
            exp_data_sn: self.exp_data_sn.into(),
            bidi_residual: self.bidi_residual.count().into(),
            residual: self.residual.count().into(),
        })
    }

    /// Reads the header. Status and residuals have a meaning only with "command completed".
    ///
    /// # Errors
    /// A reserved response or status, or overflow and underflow at once.
    #[inline]
    pub fn decode(bhs: &Bhs) -> Result<ScsiResponse, PduError> {
        let wire = view::<Wire>(bhs);
        let wrong = |field, value: u8| PduError::new(Opcode::ScsiResponse, field, value);
        let response = ServiceResponse::from_code(wire.response)
            .ok_or(wrong(Field::Response, wire.response))?;
        let (mut status, mut residual, mut bidi) = (Status::Good, Residual::None, Residual::None);
        if response == ServiceResponse::Completed {
            status = Status::from_byte(wire.status).ok_or(wrong(Field::Status, wire.status))?;
            (residual, bidi) = wire.residuals().ok_or(wrong(Field::Residual, wire.flags))?;
        }
        Ok(ScsiResponse {
            response,
            status,
            residual,
            bidi_residual: bidi,
            data_len: wire.data_len.get(),
            itt: Itt(wire.itt.get()),
            snack_tag: wire.snack_tag.get(),
            stat_sn: Serial(wire.stat_sn.get()),
            exp_cmd_sn: Serial(wire.exp_cmd_sn.get()),
            max_cmd_sn: Serial(wire.max_cmd_sn.get()),
            exp_data_sn: wire.exp_data_sn.get(),
        })
    }
}

impl Wire {
    #[inline]
    fn residuals(&self) -> Option<(Residual, Residual)> {
        let has = |mask| self.flags & mask != 0;
        let plain = Residual::from_wire(has(OVERFLOW), has(UNDERFLOW), self.residual.get())?;
        let count = self.bidi_residual.get();
        let bidi = Residual::from_wire(has(BIDI_OVERFLOW), has(BIDI_UNDERFLOW), count)?;
        Some((plain, bidi))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CHECK CONDITION with 18 bytes of sense and 512 bytes not moved.
    const WIRE: Bhs = [
        0x21, 0x82, 0, 0x02, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0,
        3, 0, 0, 0, 8, 0, 0, 0, 0x47, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 0,
    ];

    fn check_condition() -> ScsiResponse {
        ScsiResponse {
            response: ServiceResponse::Completed,
            status: Status::CheckCondition,
            residual: Residual::Underflow(512),
            bidi_residual: Residual::None,
            data_len: 20,
            itt: Itt(7),
            snack_tag: 0,
            stat_sn: Serial(3),
            exp_cmd_sn: Serial(8),
            max_cmd_sn: Serial(0x47),
            exp_data_sn: 1,
        }
    }

    #[test]
    fn a_check_condition_looks_as_in_the_figure() {
        assert_eq!(check_condition().encode(), WIRE);
        assert_eq!(ScsiResponse::decode(&WIRE), Ok(check_condition()));
    }

    #[test]
    fn over_and_under_exclude_each_other() {
        for both in [0x86, 0x98] {
            let mut bhs = WIRE;
            bhs[1] = both;
            assert_eq!(ScsiResponse::decode(&bhs).unwrap_err().field, Field::Residual);
        }
    }

    #[test]
    fn a_target_failure_has_neither_status_nor_residual() {
        let mut bhs = WIRE;
        (bhs[1], bhs[2], bhs[3]) = (0x86, 1, 0x77);
        let pdu = ScsiResponse::decode(&bhs).unwrap();
        assert_eq!(pdu.response, ServiceResponse::TargetFailure);
        assert_eq!((pdu.status, pdu.residual), (Status::Good, Residual::None));
    }
}

//! Login Request (RFC 7143 section 11.12). Always immediate; one ITT for the whole login.

use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BHS_LEN, Bhs, Isid, Itt, LoginFlags, Opcode, PduError, U24, to_bhs, view};
use crate::serial::Serial;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    opcode: u8,
    flags: u8,
    version_max: u8,
    version_min: u8,
    ahs_len: u8,
    data_len: U24,
    isid: [u8; 6],
    tsih: U16,
    itt: U32,
    cid: U16,
    reserved: U16,
    cmd_sn: U32,
    exp_stat_sn: U32,
    reserved2: [u8; 16],
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// A step of the login from the initiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoginRequest {
    /// T, C, CSG and NSG.
    pub flags: LoginFlags,
    /// Highest version that the initiator speaks; 0 is RFC 7143.
    pub version_max: u8,
    /// Lowest version that it needs.
    pub version_min: u8,
    /// Length of the keys, in bytes.
    pub data_len: u32,
    /// The initiator's part of the session identifier.
    pub isid: Isid,
    /// The target's part: 0 for a new or reinstated session.
    pub tsih: u16,
    /// The same for the whole login.
    pub itt: Itt,
    /// The connection in its session.
    pub cid: u16,
    /// The first CmdSN of the session; a login does not take it.
    pub cmd_sn: Serial,
    /// Acknowledges every StatSN before it; ignored in the first request of a login.
    pub exp_stat_sn: Serial,
}

impl LoginRequest {
    /// The header.
    #[must_use]
    pub fn encode(&self) -> Bhs {
        to_bhs(&Wire {
            opcode: Opcode::LoginRequest.byte(true),
            flags: self.flags.encode(),
            version_max: self.version_max,
            version_min: self.version_min,
            ahs_len: 0,
            data_len: U24::new(self.data_len),
            isid: self.isid.0,
            tsih: self.tsih.into(),
            itt: self.itt.0.into(),
            cid: self.cid.into(),
            reserved: U16::ZERO,
            cmd_sn: self.cmd_sn.0.into(),
            exp_stat_sn: self.exp_stat_sn.0.into(),
            reserved2: [0; 16],
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// Stages that do not exist or do not go forward, or T=1 with C=1.
    pub fn decode(bhs: &Bhs) -> Result<LoginRequest, PduError> {
        let wire = view::<Wire>(bhs);
        Ok(LoginRequest {
            flags: LoginFlags::decode(Opcode::LoginRequest, wire.flags)?,
            version_max: wire.version_max,
            version_min: wire.version_min,
            data_len: wire.data_len.get(),
            isid: Isid(wire.isid),
            tsih: wire.tsih.get(),
            itt: Itt(wire.itt.get()),
            cid: wire.cid.get(),
            cmd_sn: Serial(wire.cmd_sn.get()),
            exp_stat_sn: Serial(wire.exp_stat_sn.get()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Field, Stage};
    use super::*;

    const WIRE: Bhs = [
        0x43, 0x87, 0, 0, 0, 0, 1, 0x2c, 0x80, 0x78, 0x10, 0x2e, 0, 1, 0, 0, 0, 0, 0, 1, 0, 2, 0,
        0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    fn leading() -> LoginRequest {
        let flags = LoginFlags {
            current: Stage::Operational,
            next: Some(Stage::FullFeature),
            is_continued: false,
        };
        LoginRequest {
            flags,
            version_max: 0,
            version_min: 0,
            data_len: 300,
            isid: Isid::from_random([0x78, 0x10, 0x2e], 1),
            tsih: 0,
            itt: Itt(1),
            cid: 2,
            cmd_sn: Serial(3),
            exp_stat_sn: Serial(4),
        }
    }

    #[test]
    fn a_leading_login_looks_as_in_the_figure() {
        assert_eq!(leading().encode(), WIRE);
        assert_eq!(LoginRequest::decode(&WIRE), Ok(leading()));
    }

    #[test]
    fn stages_exist_and_go_forward() {
        for (flags, field) in [
            (0x88, Field::Stage),
            (0x8c, Field::Stage),
            (0x84, Field::Stage),
            (0x82, Field::Stage),
            (0xc1, Field::Continue),
        ] {
            let mut bhs = WIRE;
            bhs[1] = flags;
            assert_eq!(LoginRequest::decode(&bhs).unwrap_err().field, field, "{flags:#x}");
        }
    }
}

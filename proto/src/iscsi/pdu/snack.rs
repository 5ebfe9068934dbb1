//! SNACK Request (RFC 7143 section 11.16): asks for PDUs again, or acknowledges data (error recovery
//! levels 1 and 2).

use zerocopy::byteorder::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BHS_LEN, Bhs, FINAL, Field, Itt, Opcode, PduError, U24, no_data, to_bhs, view};
use crate::scsi::Lun;
use crate::serial::Serial;

const KIND: u8 = 0x0f;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    opcode: u8,
    kind: u8,
    reserved: [u8; 2],
    ahs_len: u8,
    data_len: U24,
    lun: U64,
    itt: U32,
    tag: U32,
    reserved2: U32,
    exp_stat_sn: U32,
    reserved3: U64,
    begin_run: U32,
    run_len: U32,
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// What is asked for (RFC 7143 section 11.16.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SnackKind {
    /// Data-In or R2T PDUs again, as they were.
    Data = 0,
    /// Responses again.
    Status = 1,
    /// Nothing: data before BegRun have arrived.
    DataAck = 2,
    /// Data-In again, cut to a new MaxRecvDataSegmentLength.
    ResegmentedData = 3,
}

/// Asks for a run of PDUs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Snack {
    /// What is asked for.
    pub kind: SnackKind,
    /// Copied from the Data-In for a DataACK.
    pub lun: Lun,
    /// The task; [`Itt::NONE`] for status and DataACK.
    pub itt: Itt,
    /// The Data-In's transfer tag for a DataACK, the SNACK Tag for R-Data, otherwise ffffffff.
    pub tag: u32,
    /// Acknowledges every StatSN before it.
    pub exp_stat_sn: Serial,
    /// First DataSN, R2TSN or StatSN wanted; for a DataACK the first that is not acknowledged.
    pub begin_run: u32,
    /// How many; 0 is all up to the last.
    pub run_len: u32,
}

impl Snack {
    /// The header.
    #[must_use]
    pub fn encode(&self) -> Bhs {
        to_bhs(&Wire {
            opcode: Opcode::Snack.byte(false),
            kind: FINAL | self.kind as u8,
            reserved: [0; 2],
            ahs_len: 0,
            data_len: U24::ZERO,
            lun: self.lun.0.into(),
            itt: self.itt.0.into(),
            tag: self.tag.into(),
            reserved2: U32::ZERO,
            exp_stat_sn: self.exp_stat_sn.0.into(),
            reserved3: U64::ZERO,
            begin_run: self.begin_run.into(),
            run_len: self.run_len.into(),
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// A reserved type, or data that must not be there.
    pub fn decode(bhs: &Bhs) -> Result<Snack, PduError> {
        let wire = view::<Wire>(bhs);
        no_data(Opcode::Snack, wire.data_len)?;
        let kind = match wire.kind & KIND {
            0 => SnackKind::Data,
            1 => SnackKind::Status,
            2 => SnackKind::DataAck,
            3 => SnackKind::ResegmentedData,
            code => return Err(PduError::new(Opcode::Snack, Field::Code, code)),
        };
        Ok(Snack {
            kind,
            lun: Lun(wire.lun.get()),
            itt: Itt(wire.itt.get()),
            tag: wire.tag.get(),
            exp_stat_sn: Serial(wire.exp_stat_sn.get()),
            begin_run: wire.begin_run.get(),
            run_len: wire.run_len.get(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_snack_looks_as_in_the_figure() {
        let mut wire: Bhs = [
            0x10, 0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0,
            3,
        ];
        let pdu = Snack {
            kind: SnackKind::Status,
            lun: Lun::ZERO,
            itt: Itt::NONE,
            tag: u32::MAX,
            exp_stat_sn: Serial(1),
            begin_run: 2,
            run_len: 3,
        };
        assert_eq!(pdu.encode(), wire);
        assert_eq!(Snack::decode(&wire), Ok(pdu));
        wire[1] = 0x84;
        assert_eq!(Snack::decode(&wire).unwrap_err().field, Field::Code);
    }
}

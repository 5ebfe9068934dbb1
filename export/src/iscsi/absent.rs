//! Commands to a number where there is no logical unit (SPC-4 sections 6.6.1 and 6.33; SAM-5 section
//! 5.14).

use byway_proto::scsi::cdb::Command as Cdb;
use byway_proto::scsi::data::{PeripheralQualifier, StandardInquiry, build_luns};
use byway_proto::scsi::unit::ScsiReply;
use byway_proto::scsi::{Lun, Sense, SenseCode};

/// Device type that says that nothing is there.
const NO_DEVICE: u8 = 0x1f;
/// SELECT REPORT of well-known logical units only, of which there are none.
const WELL_KNOWN: u8 = 1;

/// The answer of a place without logical unit.
pub(crate) fn answer(cdb: &[u8; 16], units: &[Lun]) -> ScsiReply {
    match Cdb::parse(cdb) {
        Ok(Cdb::Inquiry(inquiry)) if inquiry.page.is_none() => {
            let nobody = StandardInquiry {
                qualifier: PeripheralQualifier::Unsupported,
                device_type: NO_DEVICE,
                is_removable: false,
                port_groups: 0,
                queues: true,
                vendor: *b"BYWAY   ",
                product: *b"NO UNIT         ",
                revision: *b"1   ",
            };
            ScsiReply::data(nobody.build().to_vec(), inquiry.allocation.into())
        }
        Ok(Cdb::ReportLuns(report)) => report_luns(report.select, report.allocation, units),
        Ok(Cdb::RequestSense(request)) => {
            let sense = Sense::illegal(SenseCode::LUN_NOT_SUPPORTED);
            let bytes = match request.descriptor {
                true => sense.to_descriptor(),
                false => sense.to_fixed().to_vec(),
            };
            ScsiReply::data(bytes, request.allocation.into())
        }
        _ => ScsiReply::check(Sense::illegal(SenseCode::LUN_NOT_SUPPORTED)),
    }
}

/// REPORT LUNS of the target, which every number answers alike.
pub(crate) fn report_luns(select: u8, allocation: u32, units: &[Lun]) -> ScsiReply {
    let units = if select == WELL_KNOWN { &[] } else { units };
    ScsiReply::data(build_luns(units), allocation)
}

#[cfg(test)]
mod tests {
    use byway_proto::scsi::Status;

    use super::*;

    fn cdb(bytes: &[u8]) -> [u8; 16] {
        let mut cdb = [0; 16];
        cdb[..bytes.len()].copy_from_slice(bytes);
        cdb
    }

    #[test]
    fn a_place_without_unit_says_so() {
        let inquiry = answer(&cdb(&[0x12, 0, 0, 0, 36, 0]), &[]);
        assert_eq!((inquiry.status, inquiry.data[0], inquiry.data.len()), (Status::Good, 0x7f, 36));
        let ready = answer(&cdb(&[0; 6]), &[]);
        assert_eq!(ready.sense.unwrap().code, SenseCode::LUN_NOT_SUPPORTED);
        let luns = answer(&cdb(&[0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0]), &[Lun::flat(1), Lun::flat(2)]);
        assert_eq!((luns.data.len(), luns.data[3]), (24, 16));
    }
}

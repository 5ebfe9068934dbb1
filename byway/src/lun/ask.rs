//! One command on a raw session, sent again for as long as unit attentions come before it.

use byway_iscsi_initiator::{RawData, RawEnd, RawSession};
use byway_proto::scsi::{Cdb, Lun, SenseKey, Status};

/// Unit attentions in a row.
const ATTENTIONS_MAX: u32 = 32;

/// The end of a command after all unit attentions; a command that they precede was not executed.
pub(crate) async fn ask(session: &RawSession, lun: Lun, cdb: Cdb, data: RawData<'_>) -> RawEnd {
    for _ in 0..ATTENTIONS_MAX {
        match session.command(lun, cdb, data).await {
            RawEnd::Status(Status::CheckCondition, Some(sense))
                if sense.key == SenseKey::UnitAttention => {}
            end => return end,
        }
    }
    RawEnd::Unknown
}

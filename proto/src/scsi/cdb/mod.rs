//! Command descriptor blocks: built by an initiator, parsed by a target.
//!
//! [`Command::parse`] turns sixteen bytes into a meaning or into the sense that refuses them. Fields
//! with a meaning are checked, here or by the logical unit; reserved bits are ignored, because
//! initiators of older standards set some of them. The control byte is not looked at: neither ACA
//! nor linked commands exist here.
//!
//! Invariant: `Command::parse(&command.build()) == Ok(command)` for every command that parses.

pub use block::Width;
pub use cache::CacheRange;
pub use compare::CompareAndWrite;
pub use data_len::DataLen;
pub use identity::{Inquiry, ReportLuns};
pub use mode::{ModeSelect, ModeSense, PageControl};
pub use persistent::{ReserveIn, ReserveInAction, ReserveOut, ReserveOutAction};
pub use ready::{RequestSense, StartStop};
pub use report::{Report, Which};
pub use thin::{GetLbaStatus, Unmap};
pub use transfer::Transfer;
pub use verify::{ByteCheck, Verify};
pub use write_same::WriteSame;

use super::{Cdb, Sense, SenseCode, opcode};

mod block;
mod cache;
mod compare;
mod data_len;
mod identity;
mod mode;
mod persistent;
mod ready;
mod report;
#[cfg(test)]
mod tests;
mod thin;
mod transfer;
mod verify;
mod write_same;

/// RDPROTECT, WRPROTECT, VRPROTECT and ORPROTECT, which all lie in the same bits.
const NO_PROTECTION: u8 = 0xe0;
const SERVICE_ACTION_MASK: u8 = 0x1f;
const PREVENT: u8 = 0x01;

/// A command by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the standard, the structs say the rest")]
pub enum Command {
    TestUnitReady,
    RequestSense(RequestSense),
    Inquiry(Inquiry),
    ReportLuns(ReportLuns),
    ReadCapacity10,
    ReadCapacity16 {
        /// Most bytes of the answer.
        allocation: u32,
    },
    GetLbaStatus(GetLbaStatus),
    Read(Transfer),
    Write(Transfer),
    OrWrite(Transfer),
    Verify(Verify),
    WriteVerify(Verify),
    WriteSame(WriteSame),
    CompareAndWrite(CompareAndWrite),
    Unmap(Unmap),
    SynchronizeCache(CacheRange),
    Prefetch(CacheRange),
    ModeSense(ModeSense),
    ModeSelect(ModeSelect),
    StartStop(StartStop),
    PreventAllow {
        /// Removal is prevented.
        prevent: bool,
    },
    Report(Report),
    Reserve6,
    Release6,
    ReserveIn(ReserveIn),
    ReserveOut(ReserveOut),
}

impl Command {
    /// The meaning of a command block.
    ///
    /// # Errors
    /// The sense to answer with: an unknown operation code (20h/00h) or a field that is wrong
    /// whatever the logical unit is (24h/00h).
    #[inline]
    pub fn parse(cdb: &Cdb) -> Result<Command, Sense> {
        match cdb[0] {
            opcode::READ_16 => Transfer::parse(cdb, Width::Sixteen).map(Command::Read),
            opcode::WRITE_16 => Transfer::parse(cdb, Width::Sixteen).map(Command::Write),
            opcode::READ_10 => Transfer::parse(cdb, Width::Ten).map(Command::Read),
            opcode::WRITE_10 => Transfer::parse(cdb, Width::Ten).map(Command::Write),
            opcode::READ_12 => Transfer::parse(cdb, Width::Twelve).map(Command::Read),
            opcode::WRITE_12 => Transfer::parse(cdb, Width::Twelve).map(Command::Write),
            opcode::READ_6 => Transfer::parse(cdb, Width::Six).map(Command::Read),
            opcode::WRITE_6 => Transfer::parse(cdb, Width::Six).map(Command::Write),
            _ => parse_on_blocks(cdb).unwrap_or_else(|| parse_other(cdb)),
        }
    }

    /// The command block.
    ///
    /// # Panics
    /// Where a range does not fit the width that was chosen for it.
    #[must_use]
    pub fn build(self) -> Cdb {
        match self {
            Command::Read(transfer) => transfer.build_read(),
            Command::Write(transfer) => transfer.build_write(),
            Command::OrWrite(transfer) => transfer.build_orwrite(),
            Command::Verify(verify) => verify.build_verify(),
            Command::WriteVerify(verify) => verify.build_write_verify(),
            Command::WriteSame(same) => same.build(),
            Command::CompareAndWrite(compare) => compare.build(),
            Command::Unmap(unmap) => unmap.build(),
            Command::SynchronizeCache(range) => range.build_synchronize(),
            Command::Prefetch(range) => range.build_prefetch(),
            Command::GetLbaStatus(status) => status.build(),
            Command::ReadCapacity10 => identity::build_capacity_10(),
            Command::ReadCapacity16 { allocation } => identity::build_capacity_16(allocation),
            Command::Inquiry(inquiry) => inquiry.build(),
            Command::ReportLuns(report) => report.build(),
            Command::Report(report) => report.build(),
            Command::RequestSense(request) => request.build(),
            Command::ModeSense(sense) => sense.build(),
            Command::ModeSelect(select) => select.build(),
            Command::StartStop(start) => start.build(),
            Command::ReserveIn(reserve) => reserve.build(),
            Command::ReserveOut(reserve) => reserve.build(),
            Command::TestUnitReady => Cdb::default(),
            Command::Reserve6 => six(opcode::RESERVE_6, 0),
            Command::Release6 => six(opcode::RELEASE_6, 0),
            Command::PreventAllow { prevent } => six(opcode::PREVENT_ALLOW, prevent.into()),
        }
    }
}

/// The rarer commands that touch blocks; nothing where it is none of them.
fn parse_on_blocks(cdb: &Cdb) -> Option<Result<Command, Sense>> {
    use Width::{Sixteen, Ten, Twelve};
    Some(match cdb[0] {
        opcode::ORWRITE_16 => Transfer::parse(cdb, Sixteen).map(Command::OrWrite),
        opcode::VERIFY_10 => Verify::parse(cdb, Ten).map(Command::Verify),
        opcode::VERIFY_12 => Verify::parse(cdb, Twelve).map(Command::Verify),
        opcode::VERIFY_16 => Verify::parse(cdb, Sixteen).map(Command::Verify),
        opcode::WRITE_VERIFY_10 => Verify::parse_write(cdb, Ten).map(Command::WriteVerify),
        opcode::WRITE_VERIFY_12 => Verify::parse_write(cdb, Twelve).map(Command::WriteVerify),
        opcode::WRITE_VERIFY_16 => Verify::parse_write(cdb, Sixteen).map(Command::WriteVerify),
        opcode::WRITE_SAME_10 => WriteSame::parse(cdb, Ten).map(Command::WriteSame),
        opcode::WRITE_SAME_16 => WriteSame::parse(cdb, Sixteen).map(Command::WriteSame),
        opcode::COMPARE_AND_WRITE => CompareAndWrite::parse(cdb).map(Command::CompareAndWrite),
        opcode::UNMAP => Ok(Command::Unmap(Unmap::parse(cdb))),
        opcode::SYNCHRONIZE_CACHE_10 => Ok(Command::SynchronizeCache(CacheRange::parse(cdb, Ten))),
        opcode::SYNCHRONIZE_CACHE_16 => {
            Ok(Command::SynchronizeCache(CacheRange::parse(cdb, Sixteen)))
        }
        opcode::PREFETCH_10 => Ok(Command::Prefetch(CacheRange::parse(cdb, Ten))),
        opcode::PREFETCH_16 => Ok(Command::Prefetch(CacheRange::parse(cdb, Sixteen))),
        _ => return None,
    })
}

fn parse_other(cdb: &Cdb) -> Result<Command, Sense> {
    Ok(match cdb[0] {
        opcode::TEST_UNIT_READY => Command::TestUnitReady,
        opcode::REQUEST_SENSE => Command::RequestSense(RequestSense::parse(cdb)),
        opcode::INQUIRY => Command::Inquiry(Inquiry::parse(cdb)?),
        opcode::REPORT_LUNS => Command::ReportLuns(ReportLuns::parse(cdb)?),
        opcode::READ_CAPACITY_10 => {
            identity::parse_capacity_10(cdb)?;
            Command::ReadCapacity10
        }
        opcode::SERVICE_ACTION_IN_16 => parse_service_action_in(cdb)?,
        opcode::MODE_SENSE_6 => Command::ModeSense(ModeSense::parse(cdb, false)),
        opcode::MODE_SENSE_10 => Command::ModeSense(ModeSense::parse(cdb, true)),
        opcode::MODE_SELECT_6 => Command::ModeSelect(ModeSelect::parse(cdb, false)?),
        opcode::MODE_SELECT_10 => Command::ModeSelect(ModeSelect::parse(cdb, true)?),
        opcode::START_STOP_UNIT => Command::StartStop(StartStop::parse(cdb)),
        opcode::PREVENT_ALLOW => Command::PreventAllow { prevent: cdb[4] & PREVENT != 0 },
        opcode::MAINTENANCE_IN => Command::Report(Report::parse(cdb)?),
        opcode::RESERVE_6 if cdb[1] & SERVICE_ACTION_MASK == 0 => Command::Reserve6,
        opcode::RELEASE_6 if cdb[1] & SERVICE_ACTION_MASK == 0 => Command::Release6,
        // Reservations of extents and for third parties are obsolete since SPC-2.
        opcode::RESERVE_6 | opcode::RELEASE_6 => return Err(Sense::invalid_cdb_field(1)),
        opcode::PERSISTENT_RESERVE_IN => Command::ReserveIn(ReserveIn::parse(cdb)?),
        opcode::PERSISTENT_RESERVE_OUT => Command::ReserveOut(ReserveOut::parse(cdb)?),
        _ => return Err(Sense::illegal(SenseCode::INVALID_OPCODE)),
    })
}

fn parse_service_action_in(cdb: &Cdb) -> Result<Command, Sense> {
    match cdb[1] & SERVICE_ACTION_MASK {
        opcode::SA_READ_CAPACITY_16 => Ok(Command::ReadCapacity16 { allocation: u32_at(cdb, 10) }),
        opcode::SA_GET_LBA_STATUS => Ok(Command::GetLbaStatus(GetLbaStatus::parse(cdb))),
        _ => Err(Sense::invalid_cdb_field(1)),
    }
}

fn six(opcode: u8, byte_4: u8) -> Cdb {
    let mut cdb = Cdb::default();
    (cdb[0], cdb[4]) = (opcode, byte_4);
    cdb
}

fn flag(is_set: bool, bit: u8) -> u8 {
    if is_set { bit } else { 0 }
}

fn u32_at(cdb: &Cdb, offset: usize) -> u32 {
    let [a, b, c, d, ..] = cdb[offset..] else { return 0 };
    u32::from_be_bytes([a, b, c, d])
}

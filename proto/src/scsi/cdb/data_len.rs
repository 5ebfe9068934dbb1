//! How many bytes a command moves, and which way: what an initiator puts into the expected data
//! transfer length, and what a target compares it with for the residual (RFC 7143 section 11.4.5).

use super::{ByteCheck, Command, Report};

/// Bytes of [`Command::ReadCapacity10`] data.
const CAPACITY_10_LEN: u64 = 8;

/// Direction and number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataLen {
    /// No data.
    None,
    /// To the initiator, at most so many bytes.
    In(u64),
    /// To the target, exactly so many bytes.
    Out(u64),
}

impl Command {
    /// The data of the command for a logical unit with blocks of `block_len` bytes.
    #[must_use]
    pub fn data_len(&self, block_len: u32) -> DataLen {
        let blocks = |count: u32| u64::from(count) * u64::from(block_len);
        let (input, output) = match self {
            Command::Read(read) => (blocks(read.blocks), 0),
            Command::Write(write) | Command::OrWrite(write) => (0, blocks(write.blocks)),
            Command::WriteVerify(verify) => (0, blocks(verify.blocks)),
            Command::Verify(verify) => (0, blocks(compared(verify.check, verify.blocks))),
            Command::WriteSame(same) => (0, blocks(u32::from(!same.no_data_out))),
            Command::CompareAndWrite(compare) => (0, blocks(u32::from(compare.blocks) * 2)),
            Command::Unmap(unmap) => (0, unmap.list_len.into()),
            Command::ModeSelect(select) => (0, select.list_len.into()),
            Command::ReserveOut(reserve) => (0, reserve.list_len.into()),
            other => (other.allocation(), 0),
        };
        match (input, output) {
            (0, 0) => DataLen::None,
            (0, output) => DataLen::Out(output),
            (input, _) => DataLen::In(input),
        }
    }

    /// The allocation length of a command that asks for parameter data, zero for all others.
    fn allocation(&self) -> u64 {
        match self {
            Command::RequestSense(request) => request.allocation.into(),
            Command::Inquiry(inquiry) => inquiry.allocation.into(),
            Command::ReportLuns(report) => report.allocation.into(),
            Command::ReadCapacity10 => CAPACITY_10_LEN,
            Command::ReadCapacity16 { allocation } => u64::from(*allocation),
            Command::GetLbaStatus(status) => status.allocation.into(),
            Command::ModeSense(sense) => sense.allocation.into(),
            Command::ReserveIn(reserve) => reserve.allocation.into(),
            Command::Report(
                Report::TargetPortGroups { allocation, .. }
                | Report::Opcodes { allocation, .. }
                | Report::TaskFunctions { allocation, .. },
            ) => u64::from(*allocation),
            _ => 0,
        }
    }
}

/// A single block is sent even to be compared with none (SBC-3 section 5.29).
fn compared(check: ByteCheck, blocks: u32) -> u32 {
    match check {
        ByteCheck::Medium => 0,
        ByteCheck::Blocks => blocks,
        ByteCheck::OneBlock => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::cdb::{CompareAndWrite, Inquiry, Transfer, WriteSame};

    #[test]
    fn every_kind_of_command_has_its_bytes() {
        let compare = CompareAndWrite { lba: 0, blocks: 3, fua: false, dpo: false };
        let same = WriteSame::zeroes(0, 9, false);
        let of = |command: Command| command.data_len(512);
        assert_eq!(of(Command::Read(Transfer::new(0, 2))), DataLen::In(1024));
        assert_eq!(of(Command::Write(Transfer::new(0, u32::MAX))), DataLen::Out(0x1ff_ffff_fe00));
        assert_eq!(of(Command::CompareAndWrite(compare)), DataLen::Out(3072));
        assert_eq!(of(Command::WriteSame(same)), DataLen::None);
        assert_eq!(
            of(Command::WriteSame(WriteSame { no_data_out: false, ..same })),
            DataLen::Out(512)
        );
        let inquiry = Inquiry { page: None, allocation: 36 };
        assert_eq!(of(Command::Inquiry(inquiry)), DataLen::In(36));
        assert_eq!(of(Command::TestUnitReady), DataLen::None);
    }
}

//! From acts to SCSI commands, and from what they bring to answers. Pure.

use byway_proto::reservation::Kind;
use byway_proto::scsi::cdb::ByteCheck;
use byway_proto::scsi::cdb::{
    CacheRange, CompareAndWrite, ReserveIn, ReserveInAction, ReserveOut, ReserveOutAction,
    Transfer, Unmap, Verify, Width, WriteSame,
};
use byway_proto::scsi::data::{Keys, ReservationData, ReserveList, UnmapRange, build_unmap};
use byway_proto::scsi::{Cdb, Command};

use super::scratch::Scratch;
use super::script::{Act, End, FENCER_FILL, Node, VICTIM_FILL, WriteOp};

/// Bytes asked for of a list of keys.
const KEYS_LEN: u16 = 16 << 10;
/// Bytes of READ RESERVATION data.
const HELD_LEN: u16 = 24;

/// A command with its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) cdb: Cdb,
    pub(crate) data: Data,
}

/// Data of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    None,
    In(usize),
    Out(Vec<u8>),
}

/// The command of an act; nothing for acts that are more or less than one command.
pub(crate) fn command(node: Node, act: Act, scratch: &Scratch) -> Option<Wire> {
    use ReserveInAction as In;
    use ReserveOutAction as Out;
    let key = node.key();
    Some(match act {
        Act::Register { keep } => reserve_out(
            Out::RegisterIgnore,
            ReserveList { action_key: key, keep, ..<_>::default() },
        ),
        Act::Reserve => reserve_out(Out::Reserve, ReserveList { key, ..<_>::default() }),
        Act::Clear => reserve_out(Out::Clear, ReserveList { key, ..<_>::default() }),
        Act::Preempt { key: victim, abort } => {
            let action = if abort { Out::PreemptAndAbort } else { Out::Preempt };
            reserve_out(action, ReserveList { key, action_key: victim, ..<_>::default() })
        }
        Act::ReadKeys => reserve_in(In::ReadKeys, KEYS_LEN),
        Act::ReadReservation => reserve_in(In::ReadReservation, HELD_LEN),
        Act::Write { op, fill } => write(op, fill, scratch),
        Act::Read => read(scratch.first, scratch.spot_blocks(), scratch),
        _ => return None,
    })
}

fn reserve_out(action: ReserveOutAction, list: ReserveList) -> Wire {
    let has_kind = matches!(
        action,
        ReserveOutAction::Reserve | ReserveOutAction::Preempt | ReserveOutAction::PreemptAndAbort
    );
    let kind = if has_kind { Kind::WriteExclusiveRegistrantsOnly.to_type() } else { 0 };
    let list = list.build();
    let out = ReserveOut { action, scope: 0, kind, list_len: list.len() as u32 };
    Wire { cdb: Command::ReserveOut(out).build(), data: Data::Out(list) }
}

fn reserve_in(action: ReserveInAction, allocation: u16) -> Wire {
    let cdb = Command::ReserveIn(ReserveIn { action, allocation }).build();
    Wire { cdb, data: Data::In(allocation.into()) }
}

/// READ of blocks.
pub(crate) fn read(lba: u64, blocks: u32, scratch: &Scratch) -> Wire {
    Wire { cdb: Transfer::new(lba, blocks).build_read(), data: Data::In(scratch.bytes(blocks)) }
}

/// WRITE of blocks.
pub(crate) fn write_bytes(lba: u64, bytes: Vec<u8>, scratch: &Scratch) -> Wire {
    let blocks = (bytes.len() / scratch.bytes(1)) as u32;
    Wire { cdb: Transfer::new(lba, blocks).build_write(), data: Data::Out(bytes) }
}

fn write(op: WriteOp, fill: u8, scratch: &Scratch) -> Wire {
    let (lba, blocks) = (scratch.first, scratch.spot_blocks());
    let one = || vec![fill; scratch.bytes(1)];
    let all = || vec![fill; scratch.bytes(blocks)];
    let plain = |width| Command::Write(Transfer { width, ..Transfer::new(lba, blocks) });
    let same = |width| {
        let same = WriteSame { width, no_data_out: false, ..WriteSame::zeroes(lba, blocks, false) };
        (Command::WriteSame(same), one())
    };
    let verify = |width| {
        let check = ByteCheck::Medium;
        (Command::WriteVerify(Verify { width, lba, blocks, dpo: false, check }), all())
    };
    let (command, out) = match op {
        WriteOp::Write10 => (plain(Width::Ten), all()),
        WriteOp::Write12 => (plain(Width::Twelve), all()),
        WriteOp::Write16 => (plain(Width::Sixteen), all()),
        WriteOp::WriteSame10 => same(Width::Ten),
        WriteOp::WriteSame16 => same(Width::Sixteen),
        WriteOp::Unmap => {
            let list = build_unmap(&[UnmapRange { lba, blocks }]);
            (Command::Unmap(Unmap { anchor: false, list_len: list.len() as u16 }), list)
        }
        WriteOp::WriteVerify10 => verify(Width::Ten),
        WriteOp::WriteVerify12 => verify(Width::Twelve),
        WriteOp::WriteVerify16 => verify(Width::Sixteen),
        WriteOp::OrWrite => (Command::OrWrite(Transfer::new(lba, blocks)), all()),
        WriteOp::CompareAndWrite => {
            let compare = CompareAndWrite { lba, blocks: 1, fua: false, dpo: false };
            (
                Command::CompareAndWrite(compare),
                [vec![FENCER_FILL; scratch.bytes(1)], one()].concat(),
            )
        }
        WriteOp::SynchronizeCache => {
            let width = Width::Ten;
            let range = CacheRange { width, lba, blocks, immediate: false };
            (Command::SynchronizeCache(range), Vec::new())
        }
    };
    let data = if out.is_empty() { Data::None } else { Data::Out(out) };
    Wire { cdb: command.build(), data }
}

/// The writes of a burst: a short one in every piece, which brings its data along, and the whole
/// pieces, which targets fetch bit by bit.
pub(crate) fn burst(scratch: &Scratch) -> Vec<Wire> {
    let spot = scratch.spot_blocks();
    let short = scratch.pieces().map(|(lba, blocks)| {
        let bytes = vec![VICTIM_FILL; scratch.bytes(spot.min(blocks))];
        write_bytes(lba, bytes, scratch)
    });
    short.chain(pieces(scratch, VICTIM_FILL)).collect()
}

/// The whole scratch range written with one byte, in pieces.
pub(crate) fn pieces(scratch: &Scratch, fill: u8) -> Vec<Wire> {
    let piece = |(lba, blocks)| write_bytes(lba, vec![fill; scratch.bytes(blocks)], scratch);
    scratch.pieces().map(piece).collect()
}

/// What GOOD with those bytes means as the answer to an act.
pub(crate) fn answer(act: Act, bytes: Vec<u8>) -> End {
    let nonsense = || End::Lost("the answer makes no sense".into());
    match act {
        Act::ReadKeys => {
            Keys::parse(&bytes).map_or_else(nonsense, |(keys, _)| End::Keys(keys.keys))
        }
        Act::ReadReservation => {
            ReservationData::parse(&bytes).map_or_else(nonsense, |data| End::Held(data.held))
        }
        Act::Read | Act::ReadAll => End::Content(bytes),
        _ => End::Good,
    }
}

#[cfg(test)]
mod tests {
    use byway_proto::scsi::cdb::DataLen;

    use super::*;

    fn scratch() -> Scratch {
        Scratch::of(1 << 20, 512, 0, None).unwrap()
    }

    #[test]
    fn every_write_is_a_command_with_as_many_bytes_as_it_says() {
        for op in WriteOp::ALL {
            let wire = command(Node::Victim, Act::Write { op, fill: 1 }, &scratch()).unwrap();
            let parsed = Command::parse(&wire.cdb).unwrap();
            let len = match &wire.data {
                Data::Out(bytes) => DataLen::Out(bytes.len() as u64),
                _ => DataLen::None,
            };
            assert_eq!(parsed.data_len(512), len, "{op:?}");
        }
    }

    #[test]
    fn answers_that_make_no_sense_are_no_answers() {
        for act in [Act::ReadKeys, Act::ReadReservation] {
            assert!(matches!(answer(act, vec![1, 2, 3]), End::Lost(_)));
        }
        assert_eq!(answer(Act::Reserve, vec![]), End::Good);
    }
}

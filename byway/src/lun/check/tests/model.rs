//! A logical unit in memory that can have the faults of targets. It checks reservations when a
//! command arrives and does a burst when it must: at the latest when its end is asked for.

use std::collections::BTreeSet;

use byway_proto::reservation::Kind;
use byway_proto::scsi::cdb::{ReserveOut, ReserveOutAction};
use byway_proto::scsi::data::{InitiatorPort, ReserveList};
use byway_proto::scsi::unit::{
    Action, BlockOp, BlockRequest, LogicalUnit, NexusId, Reset, ScsiReply, UnitConfig,
    has_parameter_list,
};
use byway_proto::scsi::{Command, Sense, SenseCode, SenseKey, Status};

use crate::lun::check::scratch::Scratch;
use crate::lun::check::script::{Act, End, FENCER_FILL, Node, Step, WriteOp};
use crate::lun::check::wire::{self, Data, Wire};

const BLOCKS: u64 = 64;
const BLOCK_LEN: u32 = 512;

/// What a target may do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The command is done whatever is reserved.
    Unfenced(WriteOp),
    /// The target does not have the command.
    Unknown(WriteOp),
    /// No persistent reservations at all.
    NoReservations,
    NoPreemptAndAbort,
    /// PREEMPT of an absent key removes the holder and answers GOOD.
    PreemptsAnybody,
    /// Commands that were to be ended are done later.
    AbortsNothing,
    /// A registration ends with its session.
    ForgetsAtLogin,
    NoPowerLoss,
    /// A reset of the logical unit removes reservations.
    ResetForgets,
    /// A session of the same initiator has the registration of the one that ended.
    Inherits,
}

pub(super) struct Model {
    unit: LogicalUnit,
    medium: Vec<u8>,
    faults: Vec<Fault>,
    /// Writes that passed the check and are not done: whose, where, what.
    pending: Vec<(NexusId, BlockRequest, Vec<u8>)>,
    refused: u32,
    ended: u32,
    scratch: Scratch,
    /// The stranger is taken for the victim.
    is_mistaken: bool,
    sessions: BTreeSet<Node>,
}

fn port_of(node: Node) -> NexusId {
    let initiator =
        InitiatorPort { name: "iqn.2026-01.test:a".into(), isid: [0x80, 0, 0, 0, 0, node as u8] };
    NexusId { initiator, port: 1 }
}

impl Model {
    pub(super) fn new(faults: &[Fault]) -> Model {
        let config = UnitConfig {
            blocks: BLOCKS,
            block_len: BLOCK_LEN,
            thin: true,
            keeps_reservations: !faults.contains(&Fault::NoPowerLoss),
            ..UnitConfig::default()
        };
        Model {
            unit: LogicalUnit::new(config),
            medium: vec![0; BLOCKS as usize * BLOCK_LEN as usize],
            faults: faults.to_vec(),
            pending: Vec::new(),
            refused: 0,
            ended: 0,
            scratch: Scratch::of(BLOCKS, BLOCK_LEN, 4, None).unwrap(),
            is_mistaken: false,
            sessions: BTreeSet::from([Node::Victim, Node::Fencer, Node::Rival]),
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn nexus(&self, node: Node) -> NexusId {
        let is_mistaken = self.is_mistaken && node == Node::Stranger;
        port_of(if is_mistaken { Node::Victim } else { node })
    }

    pub(super) fn perform(&mut self, step: Step) -> End {
        let Step { node, act, .. } = step;
        if let Some(wire) = wire::command(node, act, &self.scratch) {
            return self.command(node, act, &wire);
        }
        match act {
            Act::Login => {
                self.leave(node);
                self.sessions.insert(node);
                self.unit.nexus_established(&self.nexus(node));
            }
            Act::Leave => self.leave(node),
            Act::Reset => {
                self.cut(|_| true);
                self.unit.reset(Reset::LogicalUnit);
                if self.has(Fault::ResetForgets) {
                    self.unit = LogicalUnit::new(self.unit.config().clone());
                }
            }
            Act::Burst => {
                wire::burst(&self.scratch).iter().for_each(|wire| self.arrive(node, wire))
            }
            Act::Settle => return self.settle(),
            Act::Fill => {
                for wire in wire::pieces(&self.scratch, FENCER_FILL) {
                    let end = self.command(node, act, &wire);
                    assert_eq!(end, End::Good);
                }
            }
            Act::ReadAll => return End::Content(self.medium.clone()),
            Act::PreemptTogether { key } => {
                let preempt = Act::Preempt { key, abort: false };
                let racers = [Node::Rival, Node::Fencer];
                let [rival, fencer] =
                    racers.map(|node| self.perform(Step { node, act: preempt, prepares: false }));
                return End::Both(Box::new((fencer, rival)));
            }
            other => panic!("{other:?} is a command"),
        }
        End::Good
    }

    fn leave(&mut self, node: Node) {
        let nexus = self.nexus(node);
        self.unit.nexus_lost(&nexus);
        self.sessions.remove(&node);
        if node == Node::Victim
            && self.has(Fault::Inherits)
            && self.sessions.contains(&Node::Stranger)
        {
            self.is_mistaken = true;
        }
        if node == Node::Stranger && !self.sessions.contains(&Node::Victim) {
            // What it was taken for stays until its own session begins.
            self.is_mistaken = self.has(Fault::Inherits) && self.is_mistaken;
        }
        if self.has(Fault::ForgetsAtLogin) {
            self.change(&nexus, ReserveOutAction::RegisterIgnore, ReserveList::default());
        }
    }

    fn change(&mut self, nexus: &NexusId, action: ReserveOutAction, list: ReserveList) {
        let (list, kind) = (list.build(), Kind::WriteExclusiveRegistrantsOnly.to_type());
        let out = ReserveOut { action, scope: 0, kind, list_len: list.len() as u32 };
        let _answer = self.unit.handle(nexus, &Command::ReserveOut(out).build(), &list);
    }

    fn cut(&mut self, is_victim: impl Fn(&NexusId) -> bool) {
        if self.has(Fault::AbortsNothing) {
            return;
        }
        let before = self.pending.len();
        self.pending.retain(|(nexus, ..)| !is_victim(nexus));
        self.ended += (before - self.pending.len()) as u32;
    }

    /// A piece of a burst: its check comes now, its write later.
    fn arrive(&mut self, node: Node, wire: &Wire) {
        let Data::Out(bytes) = &wire.data else { panic!("a burst writes") };
        match self.handle(node, wire) {
            Action::Io(request) => self.pending.push((self.nexus(node), request, bytes.clone())),
            _ => self.refused += 1,
        }
    }

    fn settle(&mut self) -> End {
        let good = self.pending.len() as u32;
        for (_, request, bytes) in std::mem::take(&mut self.pending) {
            self.io(&request, &bytes);
        }
        let (refused, ended) = (self.refused, self.ended);
        (self.refused, self.ended) = (0, 0);
        End::Settled { good, refused, ended }
    }

    /// The unit's answer after all unit attentions.
    fn handle(&mut self, node: Node, wire: &Wire) -> Action {
        let nexus = self.nexus(node);
        let list = match &wire.data {
            Data::Out(bytes) if has_parameter_list(&wire.cdb) => &bytes[..],
            _ => &[],
        };
        loop {
            let action = self.unit.handle(&nexus, &wire.cdb, list);
            let Action::Done(ScsiReply { sense: Some(sense), .. }) = &action else { return action };
            if sense.key != SenseKey::UnitAttention {
                return action;
            }
        }
    }

    fn command(&mut self, node: Node, act: Act, wire: &Wire) -> End {
        if let Some(end) = self.faulty(node, act) {
            return end;
        }
        let reply = match self.handle(node, wire) {
            Action::Done(reply) => reply,
            Action::Drain { victims, reply, .. } => {
                let aborts = matches!(act, Act::Preempt { abort: true, .. });
                self.cut(|nexus| aborts && victims.contains(nexus));
                reply
            }
            Action::Io(request) => {
                let bytes = match &wire.data {
                    Data::Out(bytes) => &bytes[..],
                    _ => &[],
                };
                return wire::answer(act, self.io(&request, bytes));
            }
        };
        match reply.status {
            Status::Good => wire::answer(act, reply.data),
            status => End::Refused(status, reply.sense),
        }
    }

    /// The answer where a fault makes it another one.
    fn faulty(&mut self, node: Node, act: Act) -> Option<End> {
        let refused = |code| Some(End::Refused(Status::CheckCondition, Some(Sense::illegal(code))));
        match act {
            Act::Register { .. } if self.has(Fault::NoReservations) => {
                refused(SenseCode::INVALID_OPCODE)
            }
            Act::Preempt { abort: true, .. } if self.has(Fault::NoPreemptAndAbort) => {
                refused(SenseCode::INVALID_FIELD_IN_CDB)
            }
            Act::Write { op, .. } if self.has(Fault::Unknown(op)) => {
                refused(SenseCode::INVALID_OPCODE)
            }
            Act::Write { op, fill } if self.has(Fault::Unfenced(op)) => {
                let len = self.scratch.bytes(self.scratch.spot_blocks());
                let at = self.scratch.first as usize * BLOCK_LEN as usize;
                self.medium[at..at + len].fill(fill);
                Some(End::Good)
            }
            Act::Preempt { key, .. } if self.has(Fault::PreemptsAnybody) => {
                let registered = [Node::Victim, Node::Fencer, Node::Rival];
                let keys = self.unit.reservations().clone();
                let is_there = keys.registrants().any(|(_, found)| found == key);
                let mut others = registered.into_iter().filter(|other| *other != node);
                let winner = others.find(|other| keys.key_of(&port_of(*other)).is_some());
                if let (false, Some(winner)) = (is_there, winner) {
                    let list =
                        ReserveList { key: node.key(), action_key: winner.key(), ..<_>::default() };
                    self.change(&port_of(node), ReserveOutAction::Preempt, list);
                    return Some(End::Good);
                }
                None
            }
            _ => None,
        }
    }

    /// Does block I/O; answers what was read.
    fn io(&mut self, request: &BlockRequest, out: &[u8]) -> Vec<u8> {
        let len = BLOCK_LEN as usize;
        let (from, to) =
            (request.lba as usize * len, (request.lba + request.blocks) as usize * len);
        match &request.op {
            BlockOp::Unmap(ranges) => {
                for range in ranges {
                    let at = range.lba as usize * len;
                    self.medium[at..at + range.blocks as usize * len].fill(0);
                }
            }
            BlockOp::Read => return self.medium[from..to].to_vec(),
            BlockOp::Write | BlockOp::WriteVerify { .. } => {
                self.medium[from..to].copy_from_slice(out);
            }
            BlockOp::OrWrite => {
                self.medium[from..to].iter_mut().zip(out).for_each(|(to, from)| *to |= from);
            }
            BlockOp::CompareAndWrite => {
                let (old, new) = out.split_at(out.len() / 2);
                if self.medium[from..to] == *old {
                    self.medium[from..to].copy_from_slice(new);
                }
            }
            BlockOp::WriteSame { .. } => {
                self.medium[from..to].chunks_mut(len).for_each(|block| block.copy_from_slice(out));
            }
            _ => {}
        }
        Vec::new()
    }
}

//! A target that misbehaves by plan, for tests of initiators. No command line or configuration
//! reaches this: a plan is an argument of the constructor.
//!
//! Decisions come from a seed and the number of the connection, so that a run can be repeated.

use byway_engine::block::wrap::SplitMix64;
use byway_proto::iscsi::login::target::Pace;
use byway_proto::iscsi::pdu::{Opcode, opcode};
use byway_proto::iscsi::target::Transmit;

use super::outgoing::Flip;

/// Parts in a million, the unit of all probabilities here.
const MILLION: u64 = 1_000_000;
/// The number of the first connection.
const FIRST: u64 = 0;

/// What is done wrong. Nothing by default; probabilities are in parts per million.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Decides everything that chance decides.
    pub seed: u64,
    /// A connection is cut when it has received so many PDUs after its login.
    pub cut_at_pdu: Option<u64>,
    /// The first connection of the target's life is cut when it has received so many PDUs after its
    /// login: it takes news with it that are told once.
    pub cut_first_at_pdu: Option<u64>,
    /// A connection is cut at a PDU that it receives.
    pub cut_ppm: u32,
    /// A command is answered later, by up to `delay_ns`: answers of commands change places, and with
    /// a long delay arrive when the initiator has given up.
    pub delay_ppm: u32,
    /// The longest delay in nanoseconds.
    pub delay_ns: u64,
    /// A header digest is wrong, where there is one.
    pub flip_header_ppm: u32,
    /// A data digest is wrong, where there is one.
    pub flip_data_ppm: u32,
    /// Commands that an initiator may have under way; 0 closes the window after the first ones.
    pub window_max: Option<u32>,
    /// How slowly the target talks during login: text cut at any byte, stages held up.
    pub pace: Option<Pace>,
    /// Read and write commands are answered BUSY.
    pub busy_ppm: u32,
    /// Read and write commands are answered TASK SET FULL.
    pub task_set_full_ppm: u32,
    /// A unit attention condition (29h/00h) is reported in place of executing a command.
    pub attention_ppm: u32,
    /// One field of PDUs that have it is wrong.
    pub lie: Option<Lie>,
    /// How often it is wrong.
    pub lie_ppm: u32,
    /// A login does not wait for the commands of the session that it replaces.
    pub skips_drain: bool,
}

impl Faults {
    /// True where nothing is done wrong after the login.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Faults { seed: self.seed, pace: self.pace, ..Faults::default() }
    }
}

/// Which field is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// StatSN of a SCSI Response.
    StatSn,
    /// DataSN of a Data-In.
    DataSn,
    /// Buffer Offset of a Data-In.
    DataOffset,
    /// The residual count of a SCSI Response.
    Residual,
    /// R2TSN of an R2T.
    R2tSn,
    /// Buffer Offset of an R2T.
    R2tOffset,
    /// Desired Data Transfer Length of an R2T.
    R2tLength,
    /// The Initiator Task Tag of a SCSI Response.
    TaskTag,
    /// MaxCmdSN of a SCSI Response.
    MaxCmdSn,
}

impl Lie {
    /// The PDU that has the field, and the field's first byte (RFC 7143 sections 11.4, 11.7, 11.8).
    fn place(self) -> (Opcode, usize) {
        match self {
            Lie::StatSn => (Opcode::ScsiResponse, 24),
            Lie::DataSn => (Opcode::DataIn, 36),
            Lie::DataOffset => (Opcode::DataIn, 40),
            Lie::Residual => (Opcode::ScsiResponse, 44),
            Lie::R2tSn => (Opcode::R2t, 36),
            Lie::R2tOffset => (Opcode::R2t, 40),
            Lie::R2tLength => (Opcode::R2t, 44),
            Lie::TaskTag => (Opcode::ScsiResponse, 16),
            Lie::MaxCmdSn => (Opcode::ScsiResponse, 32),
        }
    }
}

/// What is answered in place of executing a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excuse {
    Busy,
    TaskSetFull,
    Attention,
}

/// The plan of one connection.
#[derive(Debug)]
pub(crate) struct Mischief {
    plan: Faults,
    random: SplitMix64,
    received: u64,
}

impl Mischief {
    /// For the connection of that number; nothing where nothing is planned.
    pub(crate) fn new(plan: &Faults, number: u64) -> Option<Box<Mischief>> {
        let seed = plan.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let random = SplitMix64::new(seed);
        let mut plan = plan.clone();
        if let Some(at) = plan.cut_first_at_pdu.take().filter(|_| number == FIRST) {
            plan.cut_at_pdu = Some(at);
        }
        (!plan.is_none()).then(|| Box::new(Mischief { plan, random, received: 0 }))
    }

    fn chance(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.random.below(MILLION) < ppm.into()
    }

    /// A PDU arrives: true where the connection is to be cut.
    pub(crate) fn cuts(&mut self) -> bool {
        self.received += 1;
        self.plan.cut_at_pdu == Some(self.received) || self.chance(self.plan.cut_ppm)
    }

    /// Nanoseconds by which an answer is late.
    pub(crate) fn delay(&mut self) -> Option<u64> {
        self.chance(self.plan.delay_ppm).then(|| self.random.below(self.plan.delay_ns) + 1)
    }

    /// What to answer in place of executing a command.
    pub(crate) fn excuse(&mut self) -> Option<Excuse> {
        let plan = [
            (self.plan.busy_ppm, Excuse::Busy),
            (self.plan.task_set_full_ppm, Excuse::TaskSetFull),
            (self.plan.attention_ppm, Excuse::Attention),
        ];
        plan.into_iter().find(|(ppm, _)| self.chance(*ppm)).map(|(_, excuse)| excuse)
    }

    /// The window that is announced.
    pub(crate) fn window_max(&self) -> Option<u32> {
        self.plan.window_max
    }

    /// A PDU leaves: its field may be wrong.
    pub(crate) fn change(&mut self, transmit: &mut Transmit) {
        let Some(lie) = self.plan.lie else { return };
        let (pdu, at) = lie.place();
        if opcode(&transmit.bhs) == Some(pdu) && self.chance(self.plan.lie_ppm) {
            let wrong = self.random.below(MILLION) as u32 + 1;
            let mut field = [0; 4];
            field.copy_from_slice(&transmit.bhs[at..at + 4]);
            let value = u32::from_be_bytes(field).wrapping_add(wrong);
            transmit.bhs[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
    }

    /// A digest of the PDU that leaves may be wrong.
    pub(crate) fn flip(&mut self) -> Option<Flip> {
        if self.chance(self.plan.flip_header_ppm) {
            Some(Flip::Header)
        } else if self.chance(self.plan.flip_data_ppm) {
            Some(Flip::Data)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_plan_means_no_mischief() {
        assert!(Mischief::new(&Faults { seed: 7, ..Faults::default() }, 1).is_none());
        assert!(Mischief::new(&Faults { busy_ppm: 1, ..Faults::default() }, 1).is_some());
    }

    #[test]
    fn the_same_seed_makes_the_same_mischief() {
        let plan =
            Faults { delay_ppm: 500_000, delay_ns: 1000, cut_at_pdu: Some(3), ..<_>::default() };
        let run = |number| {
            let mut mischief = Mischief::new(&plan, number).unwrap();
            (0..20).map(|_| (mischief.delay(), mischief.cuts())).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        assert_eq!(run(1).iter().position(|(_, cuts)| *cuts), Some(2));
    }
}

//! What a check consists of: steps of four nodes, in order, and a judgement of the answers.
//!
//! A script has no branches: every step is taken whatever came before, and the judgement looks at
//! all answers together. So a script is a table that can be read, and a judgement is a function that
//! needs no target. A step that prepares must end with GOOD: where one does not, nothing is proven.

use byway_proto::reservation::Kind;
use byway_proto::scsi::{Sense, SenseCode, Status};

use super::finding::{Finding, Found, Subject};

/// Who acts. Each is an initiator port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// Who is shut out.
    Victim,
    /// Who shuts it out.
    Fencer,
    /// Who tries the same at the same time.
    Rival,
    /// The victim's initiator with another ISID, which never registers.
    Stranger,
}

impl Node {
    /// All nodes.
    pub const ALL: [Node; 4] = [Node::Victim, Node::Fencer, Node::Rival, Node::Stranger];

    /// What it registers with.
    #[must_use]
    pub fn key(self) -> u64 {
        KEY_BASE | (self as u64 + 1)
    }

    /// The word of people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Node::Victim => "the victim",
            Node::Fencer => "the fencer",
            Node::Rival => "the rival",
            Node::Stranger => "the stranger",
        }
    }
}

/// What all keys of this check begin with, so that those of a check that was killed are known.
const KEY_BASE: u64 = 0x6279_7761_7963_6800;
/// A key that nobody registers.
pub(crate) const ABSENT_KEY: u64 = KEY_BASE | 0xff;

/// True for a key that only a check registers.
#[must_use]
pub fn is_own_key(key: u64) -> bool {
    key & !0xff == KEY_BASE
}

/// Commands that change the medium, or make it durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum WriteOp {
    Write10,
    Write12,
    Write16,
    WriteSame10,
    WriteSame16,
    Unmap,
    WriteVerify10,
    WriteVerify12,
    WriteVerify16,
    OrWrite,
    CompareAndWrite,
    SynchronizeCache,
}

impl WriteOp {
    /// All of them, in the order in which they are tried.
    pub const ALL: [WriteOp; 12] = [
        WriteOp::Write10,
        WriteOp::Write12,
        WriteOp::Write16,
        WriteOp::WriteSame10,
        WriteOp::WriteSame16,
        WriteOp::Unmap,
        WriteOp::WriteVerify10,
        WriteOp::WriteVerify12,
        WriteOp::WriteVerify16,
        WriteOp::OrWrite,
        WriteOp::CompareAndWrite,
        WriteOp::SynchronizeCache,
    ];

    /// The standard's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            WriteOp::Write10 => "WRITE 10",
            WriteOp::Write12 => "WRITE 12",
            WriteOp::Write16 => "WRITE 16",
            WriteOp::WriteSame10 => "WRITE SAME 10",
            WriteOp::WriteSame16 => "WRITE SAME 16",
            WriteOp::Unmap => "UNMAP",
            WriteOp::WriteVerify10 => "WRITE AND VERIFY 10",
            WriteOp::WriteVerify12 => "WRITE AND VERIFY 12",
            WriteOp::WriteVerify16 => "WRITE AND VERIFY 16",
            WriteOp::OrWrite => "ORWRITE",
            WriteOp::CompareAndWrite => "COMPARE AND WRITE",
            WriteOp::SynchronizeCache => "SYNCHRONIZE CACHE",
        }
    }

    /// The name of the command whatever its length.
    #[must_use]
    pub fn family(self) -> &'static str {
        match self {
            WriteOp::Write10 | WriteOp::Write12 | WriteOp::Write16 => "WRITE",
            WriteOp::WriteSame10 | WriteOp::WriteSame16 => "WRITE SAME",
            WriteOp::WriteVerify10 | WriteOp::WriteVerify12 | WriteOp::WriteVerify16 => {
                "WRITE AND VERIFY"
            }
            other => other.name(),
        }
    }
}

/// What the fencer leaves on the medium. With [`VICTIM_FILL`] it gives all ones by OR.
pub(crate) const FENCER_FILL: u8 = 0xa5;
/// What a victim writes.
pub(crate) const VICTIM_FILL: u8 = 0x5a;

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// REGISTER AND IGNORE EXISTING KEY with its own key; kept over a power loss if `keep`.
    Register {
        /// APTPL.
        keep: bool,
    },
    /// RESERVE of type 5 (write exclusive, registrants only).
    Reserve,
    /// PREEMPT of a key, or PREEMPT AND ABORT.
    Preempt {
        /// The key.
        key: u64,
        /// And abort.
        abort: bool,
    },
    /// The node and the next one in [`Node::ALL`] send PREEMPT of a key at the same time.
    PreemptTogether {
        /// The key.
        key: u64,
    },
    /// CLEAR.
    Clear,
    /// READ KEYS.
    ReadKeys,
    /// READ RESERVATION.
    ReadReservation,
    /// One command on the first blocks of the scratch range.
    Write {
        /// Which.
        op: WriteOp,
        /// The bytes that it brings, where it brings any.
        fill: u8,
    },
    /// READ of the first blocks of the scratch range.
    Read,
    /// Writes of the whole scratch range in many pieces, whose answers are not waited for.
    Burst,
    /// Waits until every piece of the node's burst has ended.
    Settle,
    /// Writes the whole scratch range with the fencer's fill.
    Fill,
    /// READ of the whole scratch range.
    ReadAll,
    /// LOGICAL UNIT RESET.
    Reset,
    /// Drops the session without a logout.
    Leave,
    /// Drops the session, if there is one, and logs in with the same name and ISID.
    Login,
}

/// An act of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// Who.
    pub node: Node,
    /// What.
    pub act: Act,
    /// It prepares: anything but GOOD ends the proof.
    pub prepares: bool,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// GOOD, or done.
    Good,
    /// Keys of all registrants.
    Keys(Vec<u64>),
    /// The reservation.
    Held(Option<(u64, Kind)>),
    /// What is on the medium.
    Content(Vec<u8>),
    /// How the pieces of a burst ended.
    Settled {
        /// With GOOD.
        good: u32,
        /// With RESERVATION CONFLICT.
        refused: u32,
        /// Without an answer, or with another one.
        ended: u32,
    },
    /// Both ends of a race.
    Both(Box<(End, End)>),
    /// Another status.
    Refused(Status, Option<Sense>),
    /// No answer: the session ended, the login was refused, or the answer makes no sense.
    Lost(String),
}

impl End {
    /// RESERVATION CONFLICT.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, End::Refused(Status::ReservationConflict, _))
    }

    /// The target does not know the command, or that form of it.
    #[must_use]
    pub fn is_unknown_command(&self) -> bool {
        let unknown = [SenseCode::INVALID_OPCODE, SenseCode::INVALID_FIELD_IN_CDB];
        matches!(self, End::Refused(_, Some(sense)) if unknown.contains(&sense.code))
    }

    /// For people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            End::Refused(_, Some(sense)) => format!("refused ({sense})"),
            End::Refused(status, None) => status.to_string(),
            End::Lost(why) => format!("no answer ({why})"),
            _ => "GOOD".into(),
        }
    }
}

/// Where the answer to a step is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct At(usize);

/// The answers to a script, in order.
pub(crate) struct Answers<'a>(pub(crate) &'a [End]);

impl Answers<'_> {
    /// The answer to that step.
    pub(crate) fn at(&self, at: At) -> &End {
        &self.0[at.0]
    }

    /// True where the medium holds nothing but that byte.
    pub(crate) fn is_filled(&self, at: At, fill: u8) -> bool {
        matches!(self.at(at), End::Content(bytes) if bytes.iter().all(|byte| *byte == fill))
    }

    /// True where exactly these nodes are registered, each once.
    pub(crate) fn are_registered(&self, at: At, nodes: &[Node]) -> bool {
        let End::Keys(keys) = self.at(at) else { return false };
        let (mut keys, mut own) = (keys.clone(), Vec::from_iter(nodes.iter().map(|n| n.key())));
        keys.sort_unstable();
        own.sort_unstable();
        keys == own
    }

    /// True where that node holds a reservation of type 5.
    pub(crate) fn is_held_by(&self, at: At, node: Node) -> bool {
        let kind = Kind::WriteExclusiveRegistrantsOnly;
        matches!(self.at(at), End::Held(Some(held)) if *held == (node.key(), kind))
    }
}

type Judge = Box<dyn Fn(&Answers<'_>) -> Found>;

/// One check: a script and its judgement.
pub struct Check {
    /// What it is about.
    pub subject: Subject,
    /// What must be found.
    pub expected: &'static str,
    /// The steps.
    pub steps: Vec<Step>,
    judge: Judge,
}

impl Check {
    /// What the answers mean.
    ///
    /// # Panics
    /// Where there is not one answer for each step.
    #[must_use]
    pub fn judge(&self, answers: &[End]) -> Finding {
        assert_eq!(answers.len(), self.steps.len(), "every step has an answer");
        let mut prepared = self.steps.iter().zip(answers).filter(|(step, _)| step.prepares);
        let failed = prepared.find(|(_, end)| matches!(end, End::Refused(..) | End::Lost(_)));
        let found = match failed {
            Some((step, end)) => {
                let (who, what) = (step.node.word(), step.act);
                Found::unproven(format!("{what:?} of {who}: {}", end.words()))
            }
            None => (self.judge)(&Answers(answers)),
        };
        Finding::new(self.subject, self.expected, found)
    }
}

/// A script that is being written.
#[derive(Default)]
pub(crate) struct Script {
    steps: Vec<Step>,
}

impl Script {
    /// A script that begins with nobody registered.
    pub(crate) fn fresh() -> Script {
        let mut script = Script::default();
        script.must(Node::Victim, Act::Register { keep: false });
        script.must(Node::Victim, Act::Clear);
        script
    }

    /// A script that begins with these nodes registered and the first of them holding type 5.
    pub(crate) fn with(nodes: &[Node]) -> Script {
        let mut script = Script::fresh();
        for node in nodes {
            script.must(*node, Act::Register { keep: false });
        }
        script.must(nodes[0], Act::Reserve);
        script
    }

    /// A step whose answer is judged.
    pub(crate) fn step(&mut self, node: Node, act: Act) -> At {
        self.steps.push(Step { node, act, prepares: false });
        At(self.steps.len() - 1)
    }

    /// A step that prepares.
    pub(crate) fn must(&mut self, node: Node, act: Act) {
        self.steps.push(Step { node, act, prepares: true });
    }

    /// The plain write of one block or a few, as a step whose answer is judged.
    pub(crate) fn write(&mut self, node: Node) -> At {
        self.step(node, Act::Write { op: WriteOp::Write16, fill: VICTIM_FILL })
    }

    /// The end of the script.
    pub(crate) fn judged(
        self,
        subject: Subject,
        expected: &'static str,
        judge: impl Fn(&Answers<'_>) -> Found + 'static,
    ) -> Check {
        Check { subject, expected, steps: self.steps, judge: Box::new(judge) }
    }
}

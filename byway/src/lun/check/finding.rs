//! What a check has found, and about what.

use serde::Serialize;

use super::script::WriteOp;

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A reservation of type 5 lets registrants write and nobody else.
    Reservation,
    /// Two nodes preempt the same key.
    PreemptRace,
    /// A node preempts a key that nobody has.
    AbsentKey,
    /// A node that is shut out still reads.
    ReadsGoOn,
    /// A node that is shut out sends that command.
    Fenced(WriteOp),
    /// PREEMPT AND ABORT ends what is on its way.
    AbortInFlight,
    /// LOGICAL UNIT RESET ends what is on its way.
    ResetInFlight,
    /// LOGICAL UNIT RESET leaves registrations and reservation alone.
    ResetKeeps,
    /// A registration is there after a login with the same ISID.
    Relogin,
    /// A registration is nobody else's.
    OtherSession,
    /// A node that was shut out registers again.
    Again,
    /// Registrations can be kept over a power loss.
    PowerLoss,
}

impl Subject {
    /// A short name, for people and programs.
    #[must_use]
    pub fn name(self) -> String {
        let name = match self {
            Subject::Reservation => "reservation",
            Subject::PreemptRace => "preempt-race",
            Subject::AbsentKey => "preempt-absent-key",
            Subject::ReadsGoOn => "fenced-reads",
            Subject::AbortInFlight => "preempt-and-abort",
            Subject::ResetInFlight => "reset-in-flight",
            Subject::ResetKeeps => "reset-keeps",
            Subject::Relogin => "relogin",
            Subject::OtherSession => "other-session",
            Subject::Again => "registers-again",
            Subject::PowerLoss => "aptpl",
            Subject::Fenced(op) => {
                return format!("fenced-{}", op.name().to_lowercase().replace(' ', "-"));
            }
        };
        name.to_owned()
    }
}

/// How what was found stands to what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// As expected.
    Yes,
    /// Not as expected.
    No,
    /// The target does not have that command.
    Absent,
    /// The check could not be made.
    Unproven,
}

/// What was found, in words too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) holds: Holds,
    pub(crate) words: String,
}

impl Found {
    pub(crate) fn yes(words: impl Into<String>) -> Found {
        Found { holds: Holds::Yes, words: words.into() }
    }

    pub(crate) fn no(words: impl Into<String>) -> Found {
        Found { holds: Holds::No, words: words.into() }
    }

    pub(crate) fn absent(words: impl Into<String>) -> Found {
        Found { holds: Holds::Absent, words: words.into() }
    }

    pub(crate) fn unproven(words: impl Into<String>) -> Found {
        Found { holds: Holds::Unproven, words: words.into() }
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    #[serde(skip)]
    pub subject: Subject,
    /// The subject's name.
    pub check: String,
    /// What should be.
    pub expected: String,
    /// What is.
    pub found: String,
    /// How the two stand to each other.
    pub holds: Holds,
}

impl Finding {
    pub(crate) fn new(subject: Subject, expected: &str, found: Found) -> Finding {
        let (check, expected) = (subject.name(), expected.to_owned());
        Finding { subject, check, expected, found: found.words, holds: found.holds }
    }
}

//! From findings to the one word: may a cluster use this LUN?
//!
//! What must hold for any use: reservations of type 5 work, one of two preemptors wins, a preempt of
//! an absent key changes nothing, plain writes of a node that is shut out are refused and its reads
//! are not, a registration is nobody else's, and a reset of the logical unit loses none. What is on
//! its way when a node is shut out has to be ended: by PREEMPT AND ABORT, or, where that is not
//! there, by LOGICAL UNIT RESET. Commands other than plain writes can be done without: a cluster
//! never sends those that the target does not refuse.

use serde::Serialize;

use super::finding::{Finding, Holds, Subject};
use super::script::WriteOp;

/// The one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Word {
    /// Fit for a cluster.
    #[serde(rename = "SAFE")]
    Safe,
    /// Fit where a node is shut out by PREEMPT and then LOGICAL UNIT RESET.
    #[serde(rename = "SAFE-WITH-LU-RESET")]
    SafeWithReset,
    /// Not fit: data would be lost.
    #[serde(rename = "UNSAFE")]
    Unsafe,
}

impl Word {
    /// As it is printed.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Word::Safe => "SAFE",
            Word::SafeWithReset => "SAFE-WITH-LU-RESET",
            Word::Unsafe => "UNSAFE",
        }
    }
}

/// The verdict with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The word.
    pub verdict: Word,
    /// Why it is not better.
    pub reasons: Vec<String>,
    /// Commands that a cluster must not send to this target, because it does not refuse them.
    pub never_sent: Vec<&'static str>,
    /// What else a user has to know.
    pub notes: Vec<String>,
}

/// The verdict on findings. A check that was not made counts as one that failed.
#[must_use]
pub fn judge(findings: &[Finding]) -> Verdict {
    let holds = |subject| {
        let found = findings.iter().find(|finding| finding.subject == subject);
        found.map_or(Holds::Unproven, |finding| finding.holds)
    };
    let broken: Vec<_> = NEEDED.iter().filter(|subject| holds(**subject) != Holds::Yes).collect();
    let mut reasons: Vec<_> = broken.iter().map(|subject| reason(findings, **subject)).collect();
    let aborts = holds(Subject::AbortInFlight) == Holds::Yes;
    let resets = holds(Subject::ResetInFlight) == Holds::Yes;
    if !aborts {
        reasons.push(reason(findings, Subject::AbortInFlight));
    }
    if !aborts && !resets {
        reasons.push(reason(findings, Subject::ResetInFlight));
    }
    let verdict = match (broken.is_empty(), aborts, resets) {
        (true, true, _) => Word::Safe,
        (true, false, true) => Word::SafeWithReset,
        _ => Word::Unsafe,
    };
    Verdict { verdict, reasons, never_sent: never_sent(findings), notes: notes(findings) }
}

/// What must hold for any use.
const NEEDED: [Subject; 9] = [
    Subject::Reservation,
    Subject::PreemptRace,
    Subject::AbsentKey,
    Subject::ReadsGoOn,
    Subject::Fenced(WriteOp::Write10),
    Subject::Fenced(WriteOp::Write12),
    Subject::Fenced(WriteOp::Write16),
    Subject::ResetKeeps,
    Subject::OtherSession,
];

fn reason(findings: &[Finding], subject: Subject) -> String {
    let found = findings.iter().find(|finding| finding.subject == subject);
    let words = found.map_or("the check was not made", |finding| &finding.found);
    format!("{}: {words}", subject.name())
}

/// Families of commands that a node that is shut out can still use. A flush does no harm.
fn never_sent(findings: &[Finding]) -> Vec<&'static str> {
    let mut families = Vec::new();
    for finding in findings {
        let Subject::Fenced(op) = finding.subject else { continue };
        let is_needed = NEEDED.contains(&finding.subject) || op == WriteOp::SynchronizeCache;
        let is_refused = matches!(finding.holds, Holds::Yes | Holds::Absent);
        if !is_needed && !is_refused && !families.contains(&op.family()) {
            families.push(op.family());
        }
    }
    families
}

fn notes(findings: &[Finding]) -> Vec<String> {
    let found = |subject| findings.iter().find(|finding| finding.subject == subject);
    let mut notes = Vec::new();
    let mut note = |subject, what: &str| {
        if let Some(finding) = found(subject).filter(|finding| finding.holds != Holds::Yes) {
            notes.push(format!("{what} ({})", finding.found));
        }
    };
    note(Subject::Relogin, "a node has to register again after every login");
    note(Subject::PowerLoss, "registrations are lost when the target restarts");
    note(Subject::Again, "a node that was shut out cannot register again");
    let flush = Subject::Fenced(WriteOp::SynchronizeCache);
    note(flush, "a node that was shut out can still flush, which does no harm");
    notes
}

#[cfg(test)]
mod tests {
    use super::super::finding::Found;
    use super::*;

    /// Findings as a faultless target gives them, but for `others`.
    fn findings(others: &[(Subject, Holds)]) -> Vec<Finding> {
        let plain = [
            Subject::Reservation,
            Subject::PreemptRace,
            Subject::AbsentKey,
            Subject::ReadsGoOn,
            Subject::AbortInFlight,
            Subject::ResetInFlight,
            Subject::ResetKeeps,
            Subject::Relogin,
            Subject::OtherSession,
            Subject::Again,
            Subject::PowerLoss,
        ];
        let fenced = WriteOp::ALL.map(Subject::Fenced);
        let of = |subject: &Subject| {
            let other = others.iter().find(|(other, _)| other == subject);
            let holds = other.map_or(Holds::Yes, |(_, holds)| *holds);
            Finding::new(*subject, "so", Found { holds, words: "thus".into() })
        };
        plain.iter().chain(&fenced).map(of).collect()
    }

    #[test]
    fn a_faultless_target_is_safe() {
        let verdict = judge(&findings(&[]));
        assert_eq!(verdict.verdict, Word::Safe);
        assert!(verdict.reasons.is_empty() && verdict.never_sent.is_empty());
        assert!(verdict.notes.is_empty());
    }

    #[test]
    fn each_thing_that_must_hold_is_missed() {
        for subject in NEEDED {
            for holds in [Holds::No, Holds::Absent, Holds::Unproven] {
                let verdict = judge(&findings(&[(subject, holds)]));
                assert_eq!(verdict.verdict, Word::Unsafe, "{subject:?} {holds:?}");
                assert_eq!(verdict.reasons, [format!("{}: thus", subject.name())]);
            }
        }
    }

    #[test]
    fn a_check_that_was_not_made_counts_as_failed() {
        let verdict = judge(&[]);
        assert_eq!(verdict.verdict, Word::Unsafe);
        assert!(verdict.reasons[0].contains("not made"), "{:?}", verdict.reasons);
    }

    #[test]
    fn a_reset_stands_in_for_an_abort_and_nothing_stands_in_for_both() {
        let (abort, reset) = (Subject::AbortInFlight, Subject::ResetInFlight);
        for (abort_holds, reset_holds, word) in [
            (Holds::Absent, Holds::Yes, Word::SafeWithReset),
            (Holds::No, Holds::Yes, Word::SafeWithReset),
            (Holds::Yes, Holds::No, Word::Safe),
            (Holds::Absent, Holds::No, Word::Unsafe),
            (Holds::Unproven, Holds::Unproven, Word::Unsafe),
        ] {
            let verdict = judge(&findings(&[(abort, abort_holds), (reset, reset_holds)]));
            assert_eq!(verdict.verdict, word, "{abort_holds:?} {reset_holds:?}");
        }
    }

    #[test]
    fn commands_that_can_be_done_without_are_named_once() {
        let verdict = judge(&findings(&[
            (Subject::Fenced(WriteOp::WriteSame10), Holds::No),
            (Subject::Fenced(WriteOp::WriteSame16), Holds::No),
            (Subject::Fenced(WriteOp::Unmap), Holds::Unproven),
            (Subject::Fenced(WriteOp::CompareAndWrite), Holds::Absent),
            (Subject::Fenced(WriteOp::SynchronizeCache), Holds::No),
        ]));
        assert_eq!(verdict.verdict, Word::Safe);
        assert_eq!(verdict.never_sent, ["WRITE SAME", "UNMAP"]);
        assert!(verdict.notes[0].contains("flush"), "{:?}", verdict.notes);
    }

    #[test]
    fn what_is_worth_knowing_is_noted() {
        let lost = [(Subject::Relogin, Holds::No), (Subject::PowerLoss, Holds::Absent)];
        let verdict = judge(&findings(&lost));
        assert_eq!((verdict.verdict, verdict.notes.len()), (Word::Safe, 2));
    }
}

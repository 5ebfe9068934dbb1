//! The checks against a logical unit in memory: faultless, and with the faults of known targets.

mod model;

use super::checks;
use super::finding::{Finding, Holds, Subject};
use super::script::WriteOp;
use super::verdict::{Verdict, Word, judge};
use model::{Fault, Model};

fn findings(faults: &[Fault]) -> Vec<Finding> {
    let mut model = Model::new(faults);
    let run = |check: super::script::Check| {
        let answers: Vec<_> = check.steps.iter().map(|step| model.perform(*step)).collect();
        check.judge(&answers)
    };
    checks::all().into_iter().map(run).collect()
}

fn verdict(faults: &[Fault]) -> Verdict {
    judge(&findings(faults))
}

/// The findings that are not as expected, by subject.
fn missed(faults: &[Fault]) -> Vec<(Subject, Holds)> {
    let missed = findings(faults).into_iter().filter(|finding| finding.holds != Holds::Yes);
    missed.map(|finding| (finding.subject, finding.holds)).collect()
}

#[test]
fn our_own_logical_unit_is_safe() {
    assert_eq!(missed(&[]), []);
    let verdict = verdict(&[]);
    assert_eq!(verdict.verdict, Word::Safe);
    assert!(verdict.reasons.is_empty() && verdict.notes.is_empty(), "{verdict:?}");
}

#[test]
fn something_was_under_way_when_it_was_cut_off() {
    for subject in [Subject::AbortInFlight, Subject::ResetInFlight] {
        let found = findings(&[]).into_iter().find(|f| f.subject == subject).unwrap().found;
        assert!(found.contains("of 96 writes 0 done before, 0 refused, 96 cut off"), "{found}");
    }
}

#[test]
fn the_faults_of_tgt_are_lived_with() {
    let unfenced = [
        WriteOp::WriteSame10,
        WriteOp::WriteSame16,
        WriteOp::Unmap,
        WriteOp::WriteVerify10,
        WriteOp::OrWrite,
    ];
    let mut faults = unfenced.map(Fault::Unfenced).to_vec();
    faults.extend([Fault::NoPreemptAndAbort, Fault::ForgetsAtLogin, Fault::NoPowerLoss]);
    faults.push(Fault::Unknown(WriteOp::CompareAndWrite));
    let verdict = verdict(&faults);
    assert_eq!(verdict.verdict, Word::SafeWithReset, "{verdict:?}");
    assert_eq!(verdict.never_sent, ["WRITE SAME", "UNMAP", "WRITE AND VERIFY", "ORWRITE"]);
    assert_eq!(verdict.notes.len(), 2, "{verdict:?}");
}

#[test]
fn a_preempt_of_an_absent_key_that_removes_the_winner_is_unsafe() {
    let faults = [Fault::PreemptsAnybody];
    let missed = missed(&faults);
    assert!(missed.contains(&(Subject::AbsentKey, Holds::No)), "{missed:?}");
    assert!(missed.contains(&(Subject::PreemptRace, Holds::No)), "{missed:?}");
    let verdict = verdict(&faults);
    assert_eq!(verdict.verdict, Word::Unsafe);
    assert!(verdict.reasons.iter().any(|why| why.contains("preempt-absent-key")), "{verdict:?}");
}

#[test]
fn late_writes_are_seen() {
    let missed = missed(&[Fault::AbortsNothing]);
    assert_eq!(missed, [(Subject::AbortInFlight, Holds::No), (Subject::ResetInFlight, Holds::No)]);
    assert_eq!(verdict(&[Fault::AbortsNothing]).verdict, Word::Unsafe);
}

#[test]
fn plain_writes_that_are_not_refused_are_unsafe() {
    for op in [WriteOp::Write10, WriteOp::Write12] {
        assert_eq!(missed(&[Fault::Unfenced(op)]), [(Subject::Fenced(op), Holds::No)]);
        assert_eq!(verdict(&[Fault::Unfenced(op)]).verdict, Word::Unsafe);
    }
}

#[test]
fn a_reset_that_loses_reservations_is_unsafe() {
    let missed = missed(&[Fault::ResetForgets]);
    assert!(missed.contains(&(Subject::ResetKeeps, Holds::No)), "{missed:?}");
    assert_eq!(verdict(&[Fault::ResetForgets]).verdict, Word::Unsafe);
}

#[test]
fn a_registration_that_others_inherit_is_unsafe() {
    let missed = missed(&[Fault::Inherits]);
    assert_eq!(missed, [(Subject::OtherSession, Holds::No)]);
    assert_eq!(verdict(&[Fault::Inherits]).verdict, Word::Unsafe);
}

#[test]
fn a_target_without_reservations_is_unsafe() {
    let verdict = verdict(&[Fault::NoReservations]);
    assert_eq!(verdict.verdict, Word::Unsafe);
    assert!(verdict.reasons[0].contains("Register"), "{verdict:?}");
}

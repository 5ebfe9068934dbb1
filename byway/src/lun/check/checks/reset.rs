//! LOGICAL UNIT RESET: it ends every command, so that it can stand in for the abort of PREEMPT AND
//! ABORT, and persistent reservations outlive it (SAM-5 section 6.3.3, SPC-4 section 5.13.5).

use super::abort::{self, Round};
use crate::lun::check::finding::{Found, Subject};
use crate::lun::check::script::{Act, Check, End, Node, Script};

const ROUNDS: usize = 3;

/// After PREEMPT and the answer to the reset, no write of the victim is done.
pub(super) fn in_flight() -> Check {
    let mut script = Script::with(&[Node::Fencer, Node::Victim]);
    let preempt = Act::Preempt { key: Node::Victim.key(), abort: false };
    let mut resets = Vec::new();
    let rounds: Vec<_> = (0..ROUNDS)
        .map(|_| {
            Round::steps(&mut script, |script| {
                script.must(Node::Fencer, preempt);
                resets.push(script.step(Node::Fencer, Act::Reset));
            })
        })
        .collect();
    let expected = "no write of the victim is done after PREEMPT and the reset";
    script.judged(Subject::ResetInFlight, expected, move |answers| {
        match resets.iter().map(|at| answers.at(*at)).find(|end| **end != End::Good) {
            Some(end) => Found::no(format!("LOGICAL UNIT RESET: {}", end.words())),
            None => abort::judge(&rounds, answers),
        }
    })
}

/// Registrations and the reservation are there after a reset.
pub(super) fn keeps() -> Check {
    let mut script = Script::with(&[Node::Fencer, Node::Rival]);
    let reset = script.step(Node::Fencer, Act::Reset);
    let keys = script.step(Node::Fencer, Act::ReadKeys);
    let held = script.step(Node::Fencer, Act::ReadReservation);
    let outsider = script.write(Node::Victim);
    let registrant = script.write(Node::Rival);
    let expected = "registrations and reservation outlive LOGICAL UNIT RESET";
    script.judged(Subject::ResetKeeps, expected, move |answers| {
        let is_reset = *answers.at(reset) == End::Good;
        let trouble = if !answers.are_registered(keys, &[Node::Fencer, Node::Rival]) {
            "registrations are gone"
        } else if !answers.is_held_by(held, Node::Fencer) {
            "the reservation is gone"
        } else if !answers.at(outsider).is_conflict() {
            "a node that is not registered writes"
        } else if let End::Lost(why) = answers.at(registrant) {
            return Found::unproven(format!("listed after it; a registrant's write: {why}"));
        } else if *answers.at(registrant) != End::Good {
            "a registrant is refused"
        } else if !is_reset {
            return Found::yes("the target did not answer the reset with success; all is kept");
        } else {
            return Found::yes("so");
        };
        Found::no(trouble)
    })
}

//! PREEMPT of a key that nobody has is a conflict and changes nothing (SPC-4 section 5.13.11.2.1).
//!
//! Where it is not, the loser of a race shuts out the winner.

use crate::lun::check::finding::{Found, Subject};
use crate::lun::check::script::{ABSENT_KEY, Act, Check, End, Node, Script};

pub(super) fn check() -> Check {
    let mut script = Script::with(&[Node::Fencer, Node::Rival]);
    let preempt = script.step(Node::Rival, Act::Preempt { key: ABSENT_KEY, abort: false });
    let keys = script.step(Node::Rival, Act::ReadKeys);
    let held = script.step(Node::Rival, Act::ReadReservation);
    let write = script.write(Node::Fencer);
    let expected = "a conflict, and nothing changes";
    script.judged(Subject::AbsentKey, expected, move |answers| {
        let end = answers.at(preempt);
        let changed = if *answers.at(write) != End::Good {
            "the holder was shut out"
        } else if !answers.is_held_by(held, Node::Fencer) {
            "the holder lost the reservation"
        } else if !answers.are_registered(keys, &[Node::Fencer, Node::Rival]) {
            "the registrations changed"
        } else {
            "nothing changed"
        };
        let words = format!("{}, {changed}", end.words());
        match end.is_conflict() && changed == "nothing changed" {
            true => Found::yes(words),
            false => Found::no(words),
        }
    })
}

//! A reservation of type 5: one node holds it, registrants write, nobody else does, everybody reads
//! (SPC-4 section 5.13.1, table 49).

use crate::lun::check::finding::{Found, Subject};
use crate::lun::check::script::{Act, Check, End, Node, Script};

pub(super) fn check() -> Check {
    let mut script = Script::fresh();
    script.must(Node::Fencer, Act::Register { keep: false });
    script.must(Node::Rival, Act::Register { keep: false });
    let reserved = script.step(Node::Fencer, Act::Reserve);
    let again = script.step(Node::Rival, Act::Reserve);
    let held = script.step(Node::Rival, Act::ReadReservation);
    let holder = script.write(Node::Fencer);
    let registrant = script.write(Node::Rival);
    let outsider = script.write(Node::Victim);
    let read = script.step(Node::Victim, Act::Read);
    let expected = "one node holds it, registrants write, others are refused and read";
    script.judged(Subject::Reservation, expected, move |answers| {
        let words = |at| answers.at(at).words();
        if *answers.at(reserved) != End::Good {
            return Found::no(format!("RESERVE of type 5: {}", words(reserved)));
        }
        if !answers.at(again).is_conflict() {
            return Found::no(format!("a second RESERVE: {}", words(again)));
        }
        if !answers.is_held_by(held, Node::Fencer) {
            return Found::no(format!("READ RESERVATION: {:?}", answers.at(held)));
        }
        for (at, who) in [(holder, "the holder"), (registrant, "a registrant")] {
            if *answers.at(at) != End::Good {
                return Found::no(format!("a write of {who}: {}", words(at)));
            }
        }
        if !answers.at(outsider).is_conflict() {
            return Found::no(format!("a write without registration: {}", words(outsider)));
        }
        match answers.at(read) {
            End::Content(_) => Found::yes("so"),
            other => Found::no(format!("a read without registration: {}", other.words())),
        }
    })
}

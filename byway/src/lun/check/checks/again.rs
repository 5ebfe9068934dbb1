//! A node that was shut out registers again and writes: so it is with every target. Reservations
//! alone do not keep a node out, which is why a node reads the cluster's view before it writes.

use crate::lun::check::finding::{Found, Subject};
use crate::lun::check::script::{Act, Check, End, Node, Script};

pub(super) fn check() -> Check {
    let mut script = Script::with(&[Node::Fencer, Node::Victim]);
    script.must(Node::Fencer, Act::Preempt { key: Node::Victim.key(), abort: false });
    let register = script.step(Node::Victim, Act::Register { keep: false });
    let write = script.write(Node::Victim);
    let expected = "known limit: a node that was shut out registers again and writes";
    script.judged(Subject::Again, expected, move |answers| {
        match (answers.at(register), answers.at(write)) {
            (End::Good, End::Good) => Found::yes("so"),
            (End::Good, end) => Found::no(format!("its write: {}", end.words())),
            (end, _) => Found::no(format!("its REGISTER: {}", end.words())),
        }
    })
}

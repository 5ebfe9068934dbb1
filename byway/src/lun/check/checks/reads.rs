//! A node that was shut out still reads: it learns of its fate from the medium (SPC-4 table 49).

use crate::lun::check::finding::{Found, Subject};
use crate::lun::check::script::{Act, Check, End, Node, Script};

pub(super) fn check() -> Check {
    let mut script = Script::with(&[Node::Fencer, Node::Victim]);
    script.must(Node::Fencer, Act::Preempt { key: Node::Victim.key(), abort: false });
    let read = script.step(Node::Victim, Act::Read);
    let expected = "a node that was shut out still reads";
    script.judged(Subject::ReadsGoOn, expected, move |answers| match answers.at(read) {
        End::Content(_) => Found::yes("so"),
        other => Found::no(format!("its read: {}", other.words())),
    })
}

//! A command that changes the medium, sent by a node that was shut out: it is refused, and changes
//! nothing (SPC-4 table 49, SBC-3 table 12).
//!
//! Before that it is tried by the registered victim, so that a target that does not have the command
//! is told from one that refuses it.

use crate::lun::check::finding::{Found, Subject};
use crate::lun::check::script::{Act, Check, End, FENCER_FILL, Node, Script, VICTIM_FILL, WriteOp};

pub(super) fn check(op: WriteOp) -> Check {
    let plain = |fill| Act::Write { op: WriteOp::Write16, fill };
    let mut script = Script::with(&[Node::Fencer, Node::Victim]);
    script.must(Node::Fencer, plain(FENCER_FILL));
    let before = script.step(Node::Victim, Act::Write { op, fill: VICTIM_FILL });
    script.must(Node::Fencer, plain(FENCER_FILL));
    script.must(Node::Fencer, Act::Preempt { key: Node::Victim.key(), abort: false });
    let after = script.step(Node::Victim, Act::Write { op, fill: VICTIM_FILL });
    let read = script.step(Node::Fencer, Act::Read);
    let expected = "refused with a conflict, and nothing changes";
    script.judged(Subject::Fenced(op), expected, move |answers| {
        let (before, end) = (answers.at(before), answers.at(after));
        let has_changed = !answers.is_filled(read, FENCER_FILL);
        let medium = if has_changed { "the medium changed" } else { "the medium did not change" };
        match end {
            End::Good => Found::no(format!("{} was done after the fence, {medium}", op.name())),
            _ if has_changed => Found::no(format!("{}, and {medium}", end.words())),
            _ if before.is_unknown_command() || end.is_unknown_command() => {
                Found::absent(format!("the target has no {}", op.name()))
            }
            End::Lost(_) => Found::unproven(end.words()),
            _ if end.is_conflict() => Found::yes("refused, nothing changed"),
            _ => Found::yes(format!("{}, nothing changed", end.words())),
        }
    })
}

//! A registration is of no use to a session of the same initiator with another ISID, neither beside
//! the registered one nor after its end (RFC 7143 section 4.4.3.2).
//!
//! LIO keeps it by the initiator's name: all sessions of one host share it. That does no harm where a
//! PREEMPT takes it from all of them.

use crate::lun::check::finding::{Found, Subject};
use crate::lun::check::script::{Act, Check, Node, Script};

pub(super) fn check() -> Check {
    let mut script = Script::with(&[Node::Fencer, Node::Victim]);
    script.must(Node::Stranger, Act::Login);
    let beside = script.write(Node::Stranger);
    script.must(Node::Victim, Act::Leave);
    script.must(Node::Stranger, Act::Login);
    let after = script.write(Node::Stranger);
    script.must(Node::Victim, Act::Login);
    // Where the login before lost the registration, there is nothing to preempt.
    script.step(Node::Fencer, Act::Preempt { key: Node::Victim.key(), abort: false });
    let fenced = script.write(Node::Stranger);
    script.must(Node::Stranger, Act::Leave);
    let expected = "a session with another ISID is not registered";
    script.judged(Subject::OtherSession, expected, move |answers| {
        let (beside, after) = (answers.at(beside), answers.at(after));
        let is_shared = !beside.is_conflict() && !after.is_conflict();
        if is_shared && answers.at(fenced).is_conflict() {
            return Found::yes(
                "all sessions of the host share it, and a PREEMPT takes it from all",
            );
        }
        match (beside.is_conflict(), after.is_conflict()) {
            (true, true) => Found::yes("so"),
            (false, _) => Found::no(format!("it writes beside: {}", beside.words())),
            (true, false) => Found::no(format!("it inherits the registration: {}", after.words())),
        }
    })
}

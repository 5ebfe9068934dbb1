//! A registration belongs to the initiator port, name and ISID, and outlives its session (RFC 7143
//! section 4.4.3.2, SPC-4 section 5.13.1).

use crate::lun::check::finding::{Found, Subject};
use crate::lun::check::script::{Act, Check, End, Node, Script};

pub(super) fn check() -> Check {
    let mut script = Script::with(&[Node::Fencer, Node::Victim]);
    script.must(Node::Victim, Act::Login);
    let keys = script.step(Node::Fencer, Act::ReadKeys);
    let write = script.write(Node::Victim);
    let expected = "still registered after a login with the same ISID";
    script.judged(Subject::Relogin, expected, move |answers| {
        let is_listed = answers.are_registered(keys, &[Node::Fencer, Node::Victim]);
        match answers.at(write) {
            End::Good if is_listed => Found::yes("so"),
            End::Good => Found::no("it writes, and its key is not listed"),
            end if end.is_conflict() && is_listed => {
                Found::no("the registration is lost, and its key stays behind")
            }
            end if end.is_conflict() => Found::no("the registration is lost"),
            end => Found::unproven(end.words()),
        }
    })
}

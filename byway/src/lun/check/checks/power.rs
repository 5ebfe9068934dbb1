//! Registrations are kept over a power loss of the target where APTPL asks for it (SPC-4 section
//! 5.13.5).

use crate::lun::check::finding::{Found, Subject};
use crate::lun::check::script::{Act, Check, End, Node, Script};

pub(super) fn check() -> Check {
    let mut script = Script::fresh();
    let register = script.step(Node::Victim, Act::Register { keep: true });
    // Without it, so that nothing is kept of the check itself.
    script.must(Node::Victim, Act::Register { keep: false });
    let expected = "REGISTER with APTPL is accepted";
    script.judged(Subject::PowerLoss, expected, move |answers| match answers.at(register) {
        End::Good => Found::yes("accepted"),
        End::Lost(why) => Found::unproven(why.clone()),
        end => Found::absent(end.words()),
    })
}

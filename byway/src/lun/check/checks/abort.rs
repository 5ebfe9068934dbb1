//! PREEMPT AND ABORT: when it is answered, no write that the victim sent before is done any more
//! (SPC-4 section 5.13.11.2.5).

use crate::lun::check::finding::{Found, Subject};
use crate::lun::check::script::{Act, Answers, At, Check, End, FENCER_FILL, Node, Script};

/// How often writes are cut off: a target may be done with them before it is asked to stop.
const ROUNDS: usize = 3;

/// One round: the victim's burst, what ends it, the fencer's own bytes over it, a look.
pub(super) struct Round {
    settled: At,
    read: At,
}

impl Round {
    pub(super) fn steps(script: &mut Script, cut: impl FnOnce(&mut Script)) -> Round {
        script.must(Node::Victim, Act::Register { keep: false });
        script.must(Node::Victim, Act::Burst);
        cut(script);
        script.must(Node::Fencer, Act::Fill);
        let settled = script.step(Node::Victim, Act::Settle);
        let read = script.step(Node::Fencer, Act::ReadAll);
        Round { settled, read }
    }
}

/// What the rounds have shown.
pub(super) fn judge(rounds: &[Round], answers: &Answers<'_>) -> Found {
    let (mut done, mut late, mut cut) = (0, 0, 0);
    for round in rounds {
        match answers.at(round.settled) {
            End::Settled { good, refused, ended } => {
                (done, late, cut) = (done + good, late + refused, cut + ended);
            }
            other => return Found::unproven(other.words()),
        }
        if !answers.is_filled(round.read, FENCER_FILL) {
            return match answers.at(round.read) {
                End::Content(_) => Found::no("a write of the victim was done after the answer"),
                other => Found::unproven(other.words()),
            };
        }
    }
    let all = done + late + cut;
    if done == all {
        return Found::unproven("every write was done before; check again under load");
    }
    let ends = format!("{done} done before, {late} refused, {cut} cut off");
    Found::yes(format!("none was done after; of {all} writes {ends}"))
}

pub(super) fn check() -> Check {
    let mut script = Script::with(&[Node::Fencer, Node::Victim]);
    let preempt = Act::Preempt { key: Node::Victim.key(), abort: true };
    let mut cuts = Vec::new();
    let rounds: Vec<_> = (0..ROUNDS)
        .map(|_| Round::steps(&mut script, |script| cuts.push(script.step(Node::Fencer, preempt))))
        .collect();
    let expected = "no write of the victim is done after the answer";
    script.judged(Subject::AbortInFlight, expected, move |answers| {
        let refused = cuts.iter().map(|at| answers.at(*at)).find(|end| **end != End::Good);
        match refused {
            Some(end) if end.is_unknown_command() => {
                Found::absent("the target has no PREEMPT AND ABORT")
            }
            Some(end) => Found::no(format!("PREEMPT AND ABORT: {}", end.words())),
            None => judge(&rounds, answers),
        }
    })
}

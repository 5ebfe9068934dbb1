//! Two nodes preempt the key of the holder: one wins and stays, the other learns that it has not
//! (SPC-4 section 5.13.11.2.3: a key that is not registered is a conflict).
//!
//! The race is run one after the other and at the same time.

use crate::lun::check::finding::{Found, Subject};
use crate::lun::check::script::{Act, Answers, At, Check, End, Node, Script};

const NODES: [Node; 3] = [Node::Victim, Node::Fencer, Node::Rival];

/// Where the answers after a race are.
struct After {
    keys: At,
    held: At,
    fencer_writes: At,
    rival_writes: At,
}

impl After {
    fn steps(script: &mut Script) -> After {
        After {
            keys: script.step(Node::Fencer, Act::ReadKeys),
            held: script.step(Node::Fencer, Act::ReadReservation),
            fencer_writes: script.write(Node::Fencer),
            rival_writes: script.write(Node::Rival),
        }
    }

    /// What is wrong after `winner` has won; both stay registered, and so both write.
    fn trouble(&self, answers: &Answers<'_>, winner: Node) -> Option<String> {
        let who = winner.word();
        if !answers.is_held_by(self.held, winner) {
            return Some(format!("{who} won and does not hold it: {:?}", answers.at(self.held)));
        }
        if !answers.are_registered(self.keys, &[Node::Fencer, Node::Rival]) {
            return Some(format!("{who} won; registered are {:x?}", answers.at(self.keys)));
        }
        let writes = [answers.at(self.fencer_writes), answers.at(self.rival_writes)];
        let refused = writes.into_iter().find(|end| **end != End::Good)?;
        Some(format!("{who} won; a write of a registrant: {}", refused.words()))
    }
}

pub(super) fn check() -> Check {
    let key = Node::Victim.key();
    let mut script = Script::with(&NODES);
    let first = script.step(Node::Fencer, Act::Preempt { key, abort: false });
    let second = script.step(Node::Rival, Act::Preempt { key, abort: false });
    let after = After::steps(&mut script);
    for node in [Node::Victim, Node::Fencer, Node::Rival] {
        script.step(node, Act::Register { keep: false });
        script.step(node, Act::Clear);
    }
    for node in NODES {
        script.must(node, Act::Register { keep: false });
    }
    script.must(Node::Victim, Act::Reserve);
    let both = script.step(Node::Fencer, Act::PreemptTogether { key });
    let after_both = After::steps(&mut script);
    let expected = "one wins and stays the registered holder, the other gets a conflict";
    script.judged(Subject::PreemptRace, expected, move |answers| {
        let (one, two) = (answers.at(first), answers.at(second));
        if *one != End::Good || !two.is_conflict() {
            let is_out = answers.at(after.fencer_writes).is_conflict();
            let then = if is_out { ", which shuts out the winner" } else { "" };
            return Found::no(format!("first {}, second {}{then}", one.words(), two.words()));
        }
        if let Some(trouble) = after.trouble(answers, Node::Fencer) {
            return Found::no(trouble);
        }
        let End::Both(ends) = answers.at(both) else { return Found::unproven("no race was run") };
        let winner = match &**ends {
            (End::Good, loser) if loser.is_conflict() => Node::Fencer,
            (loser, End::Good) if loser.is_conflict() => Node::Rival,
            (one, two) => {
                let words = (one.words(), two.words());
                return Found::no(format!("at the same time: {} and {}", words.0, words.1));
            }
        };
        match after_both.trouble(answers, winner) {
            Some(trouble) => Found::no(format!("at the same time: {trouble}")),
            None => Found::yes("so, one after the other and at the same time"),
        }
    })
}

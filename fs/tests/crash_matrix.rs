//! No crash at any write loses what was made durable, or leaves something that fsck must mend.

mod lab;

use byway_fs::store::Mutation;
use lab::matrix::record;

/// States in an ordinary test run; `BYWAY_CRASH_STATES` sets another number.
const STATES: u64 = 4_000;
const SEEDS: u64 = 8;
const STEPS: u64 = 700;

fn wanted() -> u64 {
    std::env::var("BYWAY_CRASH_STATES").ok().and_then(|n| n.parse().ok()).unwrap_or(STATES)
}

/// Checks the states of some of the seeds.
fn check(seeds: impl Iterator<Item = u64>) {
    let each = wanted() / SEEDS;
    for seed in seeds {
        let checked =
            record(seed, STEPS, Mutation::None).check(seed, each).expect("no state is wrong");
        assert!(checked >= each / 2, "seed {seed}: only {checked} states");
    }
}

// Two halves, so that they run side by side.
#[test]
fn every_crash_leaves_what_was_promised() {
    check((1..=SEEDS).step_by(2));
}

#[test]
fn every_crash_leaves_what_was_promised_with_other_seeds() {
    check((2..=SEEDS).step_by(2));
}

#[test]
fn a_rule_that_is_broken_is_found() {
    // Replay without versions breaks nothing where one node writes: two journals have their own test.
    let rules = [Mutation::InPlaceEarly, Mutation::TailBeforeFlush, Mutation::CommitWithoutFua];
    for mutation in rules {
        let found = (1..=6).any(|seed| record(seed, STEPS, mutation).check(seed, 2_000).is_err());
        assert!(found, "{mutation:?} is not found");
    }
}

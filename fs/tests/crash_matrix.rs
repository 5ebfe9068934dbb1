//! No crash at any write loses what was made durable, or leaves something that fsck must mend.

mod lab;

use byway_fs::store::Mutation;
use lab::matrix::record;

/// States in an ordinary test run; `BYWAY_CRASH_STATES` sets another number.
const STATES: u64 = 4_000;
/// More states than one seed has; in a short run a fraction of all, so that there are several seeds.
const STATES_PER_SEED: u64 = 10_000;
const SEEDS_MIN: u64 = 8;
const STEPS: u64 = 700;

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Checks half of the states that are wanted, under every second seed from the `first` on.
/// `BYWAY_CRASH_SEED` is added to all seeds.
fn check_half(first: u64) {
    let wanted = setting("BYWAY_CRASH_STATES", STATES);
    let first = first + setting("BYWAY_CRASH_SEED", 0);
    let each = (wanted / SEEDS_MIN).clamp(1, STATES_PER_SEED);
    let (mut checked, mut seeds) = (0, (first..).step_by(2));
    while checked < wanted / 2 {
        let seed = seeds.next().expect("seeds without end");
        let here =
            record(seed, STEPS, Mutation::None).check(seed, each).expect("no state is wrong");
        assert!(here >= each.min(1_000) / 2, "seed {seed} has only {here} states");
        checked += here;
    }
}

// Two halves, so that they run side by side.
#[test]
fn every_crash_leaves_what_was_promised() {
    check_half(1);
}

#[test]
fn every_crash_leaves_what_was_promised_with_other_seeds() {
    check_half(2);
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

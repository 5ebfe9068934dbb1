//! The iSCSI scenario finds broken rules, and the seeds that found bugs stay quiet.

use byway_sim::{IscsiMutation, Options, Scenario};

/// Seeds that fail where a bug comes back, and what the bug was.
const REGRESSIONS: [(u64, &str); 11] = [
    (9, "of two flushes over one loss of the cache only the first failed"),
    (17, "a write that was executed before failed as if it had never been sent"),
    (18, "a request was handed back while the target could still execute it"),
    (27, "a flush went well that was submitted before the loss was told"),
    (51, "compare-and-write was handed back while the target executed it"),
    (106, "the port that was asked counted as the identity of the LUN"),
    (219, "a session that ended during the survey left half of the facts for good"),
    (429, "the slot of an ended task had another one while its buffer was being sent"),
    (628, "the slot of an ended task had another one while its buffer was being sent"),
    (659, "the slot of an ended task had another one while its buffer was being sent"),
    (676, "a target that stopped waited for ever for a login that was under way"),
];

/// Within so many seeds a broken rule is found.
const SEEDS_MAX: u64 = 150;

fn run(seed: u64, iscsi: IscsiMutation) -> Option<String> {
    let options = Options { iscsi, ..Options::default() };
    Scenario::Iscsi.run(seed, options).err().map(|failure| failure.reason)
}

fn finding(mutation: IscsiMutation) -> String {
    let found = (1..=SEEDS_MAX).find_map(|seed| run(seed, mutation));
    found.unwrap_or_else(|| panic!("{mutation:?} is not noticed"))
}

#[test]
fn seeds_that_found_bugs_are_quiet() {
    for (seed, bug) in REGRESSIONS {
        assert_eq!(run(seed, IscsiMutation::None), None, "seed {seed}: {bug}");
    }
}

#[test]
fn writes_that_are_sent_again_too_early_are_seen_at_the_disk() {
    let reason = finding(IscsiMutation::ReplayAnywhere);
    assert!(reason.contains("version"), "{reason}");
}

#[test]
fn compare_and_write_that_is_sent_twice_is_noticed() {
    finding(IscsiMutation::CompareTwice);
}

#[test]
fn a_loss_of_the_cache_that_nobody_is_told_of_is_noticed() {
    let reason = finding(IscsiMutation::LossUntold);
    assert!(reason.contains("flush") || reason.contains("reads as"), "{reason}");
}

#[test]
fn a_loss_that_only_a_broken_off_survey_was_told_of_is_noticed() {
    let reason = finding(IscsiMutation::LossForgotten);
    assert!(reason.contains("flush") || reason.contains("reads as"), "{reason}");
}

#[test]
fn a_target_that_does_not_drain_is_noticed() {
    let reason = finding(IscsiMutation::NoDrain);
    assert!(reason.contains("version"), "{reason}");
}

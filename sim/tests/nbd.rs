//! The NBD scenario finds broken rules, and the seeds that found bugs stay quiet.

use byway_sim::{NbdMutation, Options, Scenario};

/// Seeds that fail where a bug comes back, and what the bug was.
const REGRESSIONS: [(u64, &str); 4] = [
    (1, "a client waited for ever where the network had forgotten its connection"),
    (3, "the server kept the connection of a client whose host had crashed"),
    (30, "a write was sent again while the server executed its earlier copy"),
    (41, "a write was sent again while the server executed its earlier copy"),
];

/// Within so many seeds a broken rule is found.
const SEEDS_MAX: u64 = 150;

fn run(seed: u64, nbd: NbdMutation) -> Option<String> {
    let options = Options { nbd, ..Options::default() };
    Scenario::Nbd.run(seed, options).err().map(|failure| failure.reason)
}

fn finding(mutation: NbdMutation) -> String {
    let found = (1..=SEEDS_MAX).find_map(|seed| run(seed, mutation));
    found.unwrap_or_else(|| panic!("{mutation:?} is not noticed"))
}

#[test]
fn seeds_that_found_bugs_are_quiet() {
    for (seed, bug) in REGRESSIONS {
        assert_eq!(run(seed, NbdMutation::None), None, "seed {seed}: {bug}");
    }
}

#[test]
fn writes_that_are_sent_again_too_early_are_seen_at_the_disk() {
    let reason = finding(NbdMutation::ReplayUnsure);
    assert!(reason.contains("version"), "{reason}");
}

#[test]
fn a_loss_of_the_cache_that_nobody_is_told_of_is_noticed() {
    let reason = finding(NbdMutation::LossUntold);
    assert!(reason.contains("flush") || reason.contains("reads as"), "{reason}");
}

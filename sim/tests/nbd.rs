//! The NBD scenario finds broken rules, and the seeds that found bugs stay quiet.

use byway_sim::{NbdMutation, Options, Scenario, ServerMutation};

/// Seeds that fail where a bug comes back, and what the bug was.
const REGRESSIONS: [(u64, &str); 5] = [
    (1, "a client waited for ever where the network had forgotten its connection"),
    (3, "the server kept the connection of a client whose host had crashed"),
    (30, "a write was sent again while the server executed its earlier copy"),
    (41, "a write was sent again while the server executed its earlier copy"),
    (177, "a run that failed once"),
];

/// Within so many seeds a broken rule is found.
const SEEDS_MAX: u64 = 150;
/// Within so many seeds a broken rule of the server is found.
const SERVER_SEEDS_MAX: u64 = 20;

fn run(seed: u64, nbd: NbdMutation) -> Option<String> {
    let options = Options { nbd, ..Options::default() };
    Scenario::Nbd.run(seed, options).err().map(|failure| failure.reason)
}

fn finding(mutation: NbdMutation) -> String {
    let seeds_max = match mutation {
        NbdMutation::Server(_) => SERVER_SEEDS_MAX,
        _ => SEEDS_MAX,
    };
    let found = (1..=seeds_max).find_map(|seed| run(seed, mutation));
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

#[test]
fn broken_rules_of_the_server_are_noticed() {
    let telling = [
        (ServerMutation::WriteEarly, "is handed back while it is executed"),
        (ServerMutation::FlushEarly, "which is not stable"),
        (ServerMutation::RequestLost, "in calm"),
        (ServerMutation::SlotLeaked, "nobody asks, and the server has still"),
        (ServerMutation::ConnectionLeaked, "clients left, and the server has still"),
    ];
    for (mutation, words) in telling {
        let reason = finding(NbdMutation::Server(mutation));
        assert!(reason.contains(words), "{mutation:?}: {reason}");
    }
}

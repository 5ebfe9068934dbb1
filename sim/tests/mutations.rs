//! A checker that never fails proves nothing: each broken promise is found within forty seeds.

use byway_engine::sim::Mutation;
use byway_sim::{Options, Scenario};

fn finding(mutation: Mutation) -> Option<String> {
    let run = |seed| Scenario::Crash.run(seed, Options { mutation, ..Options::default() });
    (1..=40).find_map(|seed| run(seed).err()).map(|failure| failure.reason)
}

#[test]
fn every_broken_promise_is_found() {
    for mutation in Mutation::ALL {
        let reason = finding(mutation);
        let reason = reason.unwrap_or_else(|| panic!("{} is not noticed", mutation.name()));
        assert!(reason.contains("reads as"), "{}: {reason}", mutation.name());
    }
}

#[test]
fn kept_promises_are_no_finding_and_much_was_done() {
    let run = |seed| Scenario::Crash.run(seed, Options::default());
    let operations: u64 = (1..=40).map(|seed| run(seed).unwrap().operations).sum();
    assert!(operations > 10_000, "{operations}");
}

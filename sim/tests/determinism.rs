//! Equal seeds give equal runs, whatever the scenario.

use std::collections::BTreeSet;

use byway_sim::{Options, Scenario};

fn hash(scenario: Scenario, seed: u64) -> u64 {
    scenario.run(seed, Options::default()).unwrap_or_else(|f| panic!("{f}")).trace_hash
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for scenario in Scenario::ALL {
        for seed in 1..6 {
            assert_eq!(hash(scenario, seed), hash(scenario, seed), "{scenario:?} {seed}");
        }
    }
}

#[test]
fn another_seed_gives_another_trace() {
    for scenario in Scenario::ALL {
        let hashes: BTreeSet<u64> = (1..9).map(|seed| hash(scenario, seed)).collect();
        assert_eq!(hashes.len(), 8, "{scenario:?}");
    }
}

//! Replays `fuzz/corpus/` through the doors of `fs`, and tries a few thousand inputs near it.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]
#![forbid(unsafe_code)]

use std::path::Path;

use byway_fs::fuzz::DOORS;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Mutations of each input: the same ones on every run.
const CASES: u32 = 64;

fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let paths = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut inputs: Vec<_> =
        paths.map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect();
    inputs.sort();
    inputs
}

#[test]
fn every_input_passes_its_door() {
    for (target, door) in DOORS {
        let inputs = inputs(target);
        assert!(!inputs.is_empty(), "{target} has no inputs");
        for (path, bytes) in inputs {
            println!("{path}");
            door(&bytes);
        }
    }
}

#[test]
fn what_is_near_an_input_passes_too() {
    let edit = (any::<prop::sample::Index>(), any::<u8>());
    let edits = (prop::collection::vec(edit, 0..6), prop::collection::vec(any::<u8>(), 0..40));
    for (target, door) in DOORS {
        for (path, bytes) in inputs(target) {
            let mut runner = TestRunner::deterministic();
            for _ in 0..CASES {
                let (edits, tail) = edits.new_tree(&mut runner).unwrap().current();
                let mut bytes = bytes.clone();
                bytes.extend(tail);
                let len = bytes.len();
                for (at, byte) in edits.iter().filter(|_| len > 0) {
                    bytes[at.index(len)] = *byte;
                }
                let result = std::panic::catch_unwind(|| door(&bytes));
                assert!(result.is_ok(), "{path} became {bytes:02x?}");
            }
        }
    }
}

//! Replays `fuzz/corpus/` without libFuzzer: what has shown a bug once is tried on every run.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

/// A door for the fuzzer, by the name of its target.
type Door = (&'static str, fn(&[u8]));

const DOORS: [Door; 6] = [
    ("daemon_config", byway::fuzz::config),
    ("http_request", byway::fuzz::http_request),
    ("job_file", byway_bench::fuzz::job_file),
    ("run_json", byway_bench::fuzz::run_json),
    ("size_words", byway_bench::fuzz::size_words),
    ("uri", byway::fuzz::uri),
];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_input_passes_its_door() {
    for (target, door) in DOORS {
        let folder = corpus().join(target);
        let names = names_in(&folder);
        assert!(!names.is_empty(), "{target} has no inputs");
        for name in names {
            println!("{target}/{name}");
            door(&std::fs::read(folder.join(name)).unwrap());
        }
    }
}

#[test]
fn every_folder_of_the_corpus_has_a_door() {
    // The doors of `proto` and `fs` are replayed there.
    let doors = DOORS.iter().chain(&byway_proto::fuzz::DOORS).chain(&byway_fs::fuzz::DOORS);
    let mut named: Vec<_> = doors.map(|(target, _)| *target).collect();
    named.sort_unstable();
    assert_eq!(names_in(&corpus()), named);
}

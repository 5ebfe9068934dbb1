//! Calls and types that determinism, the data path or good manners forbid.
//!
//! Clocks and threads belong to the engine, so that the simulator can take their place; hash order
//! differs from run to run; a library prints nothing; a test does not wait.

use super::Finding;
use super::config::{Config, covers};
use super::source::Source;
use super::tree::Tree;

const CLOCKS_AND_THREADS: [&str; 5] =
    ["Instant::now", "SystemTime::now", "thread::spawn", "thread::sleep", "thread::Builder"];
const HASHED: [&str; 2] = ["HashMap", "HashSet"];
const LEFTOVERS: [&str; 3] = ["dbg!", "todo!", "unimplemented!"];
const PRINTING: [&str; 4] = ["println!", "print!", "eprintln!", "eprint!"];
/// The rooms that are libraries.
const LIBRARIES: [&str; 7] =
    ["engine", "proto", "fs", "iscsi-initiator", "export", "nvme", "bench"];

pub(super) fn check(tree: &Tree, config: &Config) -> Vec<Finding> {
    tree.sources.iter().flat_map(|source| source_findings(source, config)).collect()
}

fn source_findings(source: &Source, config: &Config) -> Vec<Finding> {
    let mut findings = found(source, "leftover", &LEFTOVERS, true);
    findings.extend(waiting_tests(source));
    if !covers(&config.clocks_and_threads, &source.path) && !source.is_example() {
        findings.extend(found(source, "clock-or-thread", &CLOCKS_AND_THREADS, false));
    }
    if !covers(&config.hash_maps, &source.path) {
        findings.extend(found(source, "hash-order", &HASHED, false));
    }
    // A build script speaks to cargo by printing.
    let is_program = source.is_example() || source.path.ends_with("/build.rs");
    if LIBRARIES.contains(&source.room()) && !is_program {
        findings.extend(found(source, "printing-library", &PRINTING, false));
    }
    findings
}

/// One finding for each occurrence; test code is looked at only where `in_tests` says so.
fn found(source: &Source, rule: &'static str, needles: &[&str], in_tests: bool) -> Vec<Finding> {
    let at = |needle: &&str| {
        let lines = source.lines_with(needle).into_iter();
        let lines = lines.filter(|line| in_tests || !source.is_test_line(*line));
        let what = format!("`{needle}` does not belong here");
        lines.map(|line| Finding::at(rule, &source.path, line, what.as_str())).collect::<Vec<_>>()
    };
    needles.iter().flat_map(at).collect()
}

fn waiting_tests(source: &Source) -> Vec<Finding> {
    let lines = source.lines_with("thread::sleep").into_iter();
    let in_tests = lines.filter(|line| source.is_test_line(*line));
    let finding = |line| Finding::at("waiting-test", &source.path, line, "a test does not sleep");
    in_tests.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        let config = Config {
            clocks_and_threads: vec!["engine/".into()],
            hash_maps: vec!["byway/src/names.rs".into()],
            ..Config::default()
        };
        let findings = check(&Tree::of(&[(path, text)]), &config);
        findings.into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn clocks_and_threads_belong_to_the_engine() {
        for call in ["Instant::now()", "std::time::SystemTime::now()", "std::thread::spawn(f)"] {
            let text = format!("fn f() {{ {call}; }}\n");
            assert_eq!(rules("fs/src/a.rs", &text), ["clock-or-thread"], "{call}");
            assert!(rules("engine/src/a.rs", &text).is_empty());
            assert!(rules("fs/tests/a.rs", &text).is_empty());
        }
    }

    #[test]
    fn a_test_that_sleeps_is_found_even_in_the_engine() {
        let text = "#[cfg(test)]\nmod tests { fn t() { std::thread::sleep(d); } }\n";
        assert_eq!(rules("engine/src/a.rs", text), ["waiting-test"]);
    }

    #[test]
    fn hash_maps_need_an_address() {
        let text = "use std::collections::HashMap;\n";
        assert_eq!(rules("fs/src/a.rs", text), ["hash-order"]);
        assert!(rules("byway/src/names.rs", text).is_empty());
        assert!(rules("fs/src/a.rs", "// a HashMap would do\n").is_empty());
    }

    #[test]
    fn leftovers_are_found_in_tests_too() {
        for leftover in ["dbg!(x)", "todo!()", "unimplemented!()"] {
            let text = format!("fn f() {{ {leftover}; }}\n");
            assert_eq!(rules("byway/tests/a.rs", &text), ["leftover"], "{leftover}");
        }
    }

    #[test]
    fn a_library_prints_nothing_and_a_program_may() {
        let text = "fn f() { println!(\"x\"); }\n";
        assert_eq!(rules("bench/src/a.rs", text), ["printing-library"]);
        assert!(rules("byway/src/a.rs", text).is_empty());
        assert!(rules("engine/examples/a.rs", text).is_empty());
        assert!(rules("bench/build.rs", text).is_empty());
    }
}

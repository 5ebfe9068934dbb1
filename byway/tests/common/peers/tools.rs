//! libiscsi's tools, Debian's libiscsi-bin 1.19.
//!
//! Each takes `iscsi://[USER%SECRET@]HOST:PORT/IQN/LUN`. `iscsi-ls -s` lists the units of a portal
//! and wants the portal alone. `iscsi-perf -t SECONDS -m DEPTH -b BLOCKS -r` never writes.
//! `iscsi-test-cu` writes only with `-d`, and takes `-t FAMILY.SUITE.TEST` (the parts from the left);
//! it ends with 1 where an assertion fails, but with 0 where a test skips itself for what the target
//! lacks. `-n` prints a summary, `-V` the commands.

use std::process::{Command, Output};

use super::is_missing;

/// What `iscsi-test-cu` has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TestCu {
    /// Tests that ran.
    pub(crate) ran: u32,
    /// Tests of which an assertion failed.
    pub(crate) failed: u32,
    /// All that was printed.
    pub(crate) text: String,
}

/// Runs a tool for at most `seconds`, or says why the test is skipped.
pub(crate) fn tool(test: &str, name: &str, args: &[&str], seconds: u32) -> Option<Output> {
    if is_missing(test, name, "libiscsi-bin") {
        return None;
    }
    let limit = seconds.to_string();
    Some(Command::new("timeout").args([&limit, name]).args(args).output().unwrap())
}

/// Runs the tests whose names start with `tests`, with writes.
pub(crate) fn iscsi_test_cu(test: &str, uri: &str, tests: &str) -> Option<TestCu> {
    let output = tool(test, "iscsi-test-cu", &["-d", "-n", "-t", tests, uri], 100)?;
    Some(summary(&String::from_utf8_lossy(&output.stdout)))
}

/// The line of CUnit: `tests   14   14   13   1   0`, for total, run, passed, failed, inactive.
fn summary(text: &str) -> TestCu {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("tests "));
    let numbers = line.unwrap_or_default().split_whitespace();
    let numbers: Vec<u32> = numbers.map(|word| word.parse().unwrap_or(0)).collect();
    let at = |place: usize| numbers.get(place).copied().unwrap_or(0);
    TestCu { ran: at(1), failed: at(3), text: text.to_owned() }
}

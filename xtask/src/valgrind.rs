//! The unit tests that touch memory by hand, under valgrind's memcheck.
//!
//! They make no system call beyond allocation, because valgrind knows no io_uring; and they do not
//! spin between threads, because valgrind runs one thread at a time.

use std::path::Path;

use crate::exec::{self, Outcome};
use crate::steps::MEMORY_TESTS;

/// The exit code by which valgrind tells an error of its own from a failing test.
const ERROR_EXIT_CODE: u8 = 9;

/// Builds as the `unit` step does, so that nothing is compiled twice, and runs one test binary.
pub(crate) fn memory_tests() -> Outcome {
    let mut build = exec::program("cargo");
    build.args(["test", "--workspace", "--no-run"]);
    let binary = exec::executable(&mut build, "lib", "byway_engine")?;
    MEMORY_TESTS.iter().try_for_each(|filter| memcheck(&binary, filter))
}

fn memcheck(binary: &Path, filter: &str) -> Outcome {
    let mut valgrind = exec::program("valgrind");
    valgrind.arg(format!("--error-exitcode={ERROR_EXIT_CODE}"));
    // The test harness itself keeps memory until the end; only what nothing points to is a leak.
    valgrind.args(["--leak-check=full", "--show-leak-kinds=definite"]);
    valgrind.args(["--errors-for-leak-kinds=definite", "--quiet"]);
    valgrind.arg(binary).arg(filter).arg("--test-threads=1");
    match exec::run_counting_tests(&mut valgrind)? {
        0 => Err(format!("no test of byway-engine matches {filter}")),
        _ => Ok(()),
    }
}

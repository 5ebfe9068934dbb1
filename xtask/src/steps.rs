//! The table of steps: what `cargo xtask ci` and `cargo xtask test` consist of.
//!
//! A step is a name, a command and what it needs. Builds with other flags than the plain ones have
//! a build folder of their own, so that no step throws away what another has built; `{target}` in a
//! command stands for the common build folder.

use crate::exec::Outcome;
use crate::packages::Need;
use crate::{guest, instructions, peers, tidy, valgrind};

/// One named thing to run.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) needs: &'static [Need],
    pub(crate) action: Action,
}

/// How a step is run.
pub(crate) enum Action {
    /// Each command has to end with success.
    Commands(&'static [Cmd]),
    /// Test commands, each of which has to run at least one test.
    Tests(&'static [Cmd]),
    /// A function of this program.
    Own(fn() -> Outcome),
}

/// A command line, split at blanks, with its additional environment.
pub(crate) struct Cmd {
    pub(crate) env: &'static [(&'static str, &'static str)],
    pub(crate) line: &'static str,
}

const fn cmd(line: &'static str) -> Cmd {
    Cmd { env: &[], line }
}

/// The checks that come before the tests in CI.
pub(crate) const CHECKS: &[Step] = &[
    Step {
        name: "peers",
        what: "packages that tests need",
        needs: &[],
        action: Action::Own(peers::run),
    },
    Step { name: "tidy", what: "house rules", needs: &[], action: Action::Own(tidy::run) },
    Step {
        name: "clippy",
        what: "lints, as errors",
        needs: &[Need::Cargo("clippy")],
        action: Action::Commands(&[cmd("cargo clippy --workspace --all-targets -- -D warnings")]),
    },
    Step {
        name: "doc",
        what: "documentation warnings, as errors",
        needs: &[],
        action: Action::Commands(&[Cmd {
            env: &[("RUSTDOCFLAGS", "-Dwarnings")],
            line: "cargo doc --workspace --no-deps --quiet",
        }]),
    },
];

/// The filters of the tests that use memory by hand and make no io_uring call: buffers and regions,
/// and the owners of operations in flight.
pub(crate) const MEMORY_TESTS: [&str; 2] = ["memory::", "ring::owners"];

/// AddressSanitizer comes with the stable toolchain, but its flag does not.
const ASAN_ENV: &[(&str, &str)] = &[("RUSTC_BOOTSTRAP", "1"), ("RUSTFLAGS", "-Zsanitizer=address")];

macro_rules! asan_line {
    () => {
        "cargo test --config profile.dev.package.\"*\".opt-level=0 -p byway-engine --lib \
         --target x86_64-unknown-linux-gnu --target-dir {target}/asan "
    };
}

/// The tests, from those that share a build to those that need one of their own. The last two do
/// not optimise what they depend on: that takes longer than it saves where one room is built.
pub(crate) const TESTS: &[Step] = &[
    Step {
        name: "unit",
        what: "unit and integration tests of every room, fuzz corpora replayed",
        needs: &[],
        action: Action::Tests(&[Cmd {
            env: &[("BYWAY_CRASH_STATES", "100000")],
            line: "cargo test --workspace --no-fail-fast",
        }]),
    },
    Step {
        name: "valgrind",
        what: "buffers, regions and operations in flight under memcheck",
        needs: &[Need::Program("valgrind")],
        action: Action::Own(valgrind::memory_tests),
    },
    Step {
        name: "counting",
        what: "allocations and system calls per I/O, optimised build",
        needs: &[],
        action: Action::Tests(&[cmd(
            "cargo test --release -p byway-engine --test counts --test net_counts",
        )]),
    },
    Step {
        name: "examples",
        what: "the three levels of the library API",
        needs: &[],
        action: Action::Commands(&[
            cmd("cargo run --release -p byway-engine --example reactor_native"),
            cmd("cargo run --release -p byway-engine --example client"),
            cmd("cargo run --release -p byway-engine --example poll_queue"),
        ]),
    },
    Step {
        name: "instructions",
        what: "instructions per operation against the recorded ones",
        needs: &[Need::Program("valgrind")],
        action: Action::Own(instructions::gate),
    },
    Step {
        name: "sim",
        what: "crashes and faults under forty seeds",
        needs: &[],
        action: Action::Commands(&[cmd("cargo run --release -p byway-sim -- --seed 1..40")]),
    },
    Step {
        name: "guest",
        what: "the kernel's iSCSI target and initiator, in emulated guests",
        needs: guest::NEEDS,
        action: Action::Own(guest::check),
    },
    Step {
        name: "guest-nbd",
        what: "the kernel's NBD driver before our server, in an emulated guest",
        needs: guest::NBD_NEEDS,
        action: Action::Own(guest::check_nbd),
    },
    Step {
        name: "guest-migrate",
        what: "an emulated guest that moves between two exports of one file, and back",
        needs: guest::MIGRATE_NEEDS,
        action: Action::Own(guest::check_migrate),
    },
    Step {
        name: "asan",
        what: "buffers, regions and operations in flight under AddressSanitizer",
        needs: &[],
        action: Action::Tests(&[
            Cmd { env: ASAN_ENV, line: concat!(asan_line!(), "memory::") },
            Cmd { env: ASAN_ENV, line: concat!(asan_line!(), "ring::owners") },
            // The sanitizer's shadow counts as memory of a device that should take none.
            Cmd {
                env: ASAN_ENV,
                line: concat!(asan_line!(), "block::mem:: -- --skip a_large_device_takes_memory"),
            },
        ]),
    },
    Step {
        name: "loom",
        what: "every interleaving of the cross-core rings",
        needs: &[],
        action: Action::Tests(&[Cmd {
            env: &[("RUSTFLAGS", "--cfg loom")],
            line: "cargo test --config profile.dev.package.\"*\".opt-level=0 \
                   --config profile.dev.package.loom.opt-level=3 \
                   --config profile.dev.package.generator.opt-level=3 \
                   -p byway-engine --lib --target-dir {target}/loom loom_",
        }]),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = CHECKS.iter().chain(TESTS).map(|step| step.name).collect();
        let before = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), before);
    }

    #[test]
    fn flags_that_change_the_build_come_with_a_folder_of_their_own() {
        let commands = CHECKS.iter().chain(TESTS).flat_map(|step| match step.action {
            Action::Commands(commands) | Action::Tests(commands) => commands,
            Action::Own(_) => &[],
        });
        for command in commands {
            let flags = command.env.iter().any(|(name, _)| *name == "RUSTFLAGS");
            assert_eq!(flags, command.line.contains("--target-dir"), "{}", command.line);
        }
    }

    #[test]
    fn the_sanitizer_runs_what_valgrind_runs() {
        let asan = TESTS.iter().find(|step| step.name == "asan").unwrap();
        let Action::Tests(commands) = asan.action else { panic!("asan is a test command") };
        for filter in MEMORY_TESTS {
            assert!(commands.iter().any(|command| command.line.ends_with(filter)), "{filter}");
        }
    }
}

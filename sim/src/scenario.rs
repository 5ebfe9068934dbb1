//! The scenarios by name, and what comes of one run.

use std::any::Any;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};

use byway_engine::sim::{Mutation, Observer};

use crate::iscsi::{self, IscsiMutation};
use crate::nbd::{self, NbdMutation};
use crate::{crash, network};

/// A story that a seed fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Tasks write to a disk while hosts crash and the power goes: synced data survives.
    Crash,
    /// Transfers over a network that loses, cuts and resets: every message arrives whole.
    Network,
    /// An iSCSI initiator and a target that both misbehave as networks, targets and disks do.
    Iscsi,
    /// The NBD client device and the NBD server while networks, servers, clients and disks fail.
    Nbd,
}

/// How a scenario is run.
#[derive(Default)]
pub struct Options {
    /// The promise that disks break, to prove that the scenario notices; `Crash` alone looks at it.
    pub mutation: Mutation,
    /// The rule that initiator or target breaks in `Iscsi`, to prove that the scenario notices.
    pub iscsi: IscsiMutation,
    /// The rule that client or server breaks in `Nbd`, to prove that the scenario notices.
    pub nbd: NbdMutation,
    /// Sees every line of the trace.
    pub observer: Option<Observer>,
}

/// A run without a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The hash of everything that happened: equal for equal seeds.
    pub trace_hash: u64,
    /// What was done in it: requests of a disk, messages of a network.
    pub operations: u64,
    /// How much time passed in it, in nanoseconds.
    pub simulated_ns: u64,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The scenario.
    pub scenario: Scenario,
    /// The seed.
    pub seed: u64,
    /// What is wrong.
    pub reason: String,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Scenario; 4] =
        [Scenario::Crash, Scenario::Network, Scenario::Iscsi, Scenario::Nbd];

    /// The word for options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Crash => "crash",
            Scenario::Network => "network",
            Scenario::Iscsi => "iscsi",
            Scenario::Nbd => "nbd",
        }
    }

    /// The scenario that `word` names.
    pub fn from_name(word: &str) -> Option<Scenario> {
        Scenario::ALL.into_iter().find(|scenario| scenario.name() == word)
    }

    /// Runs the scenario under a seed. A panic in it is a finding like any other.
    pub fn run(self, seed: u64, options: Options) -> Result<Passed, Failure> {
        let run = || match self {
            Scenario::Crash => crash::run(seed, options),
            Scenario::Network => network::run(seed, options),
            Scenario::Iscsi => iscsi::run(seed, options),
            Scenario::Nbd => nbd::run(seed, options),
        };
        // Nothing of a run outlives it, so nothing half-done is seen afterwards.
        let outcome = panic::catch_unwind(AssertUnwindSafe(run));
        let outcome = outcome.unwrap_or_else(|panic| Err(format!("panic: {}", words_of(&*panic))));
        outcome.map_err(|reason| Failure { scenario: self, seed, reason })
    }
}

/// What a panic said, in one line.
fn words_of(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words");
    words.lines().next().unwrap_or_default().to_owned()
}

impl fmt::Display for Failure {
    /// The command that repeats the finding, and the reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { scenario, seed, reason } = self;
        write!(f, "cargo xtask sim --seed {seed}  # {}: {reason}", scenario.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_named() {
        for scenario in Scenario::ALL {
            assert_eq!(Scenario::from_name(scenario.name()), Some(scenario));
        }
        assert_eq!(Scenario::from_name("peace"), None);
    }

    #[test]
    fn a_panic_is_told_in_one_line() {
        assert_eq!(words_of(&"two\nlines"), "two");
        assert_eq!(words_of(&String::from("owned")), "owned");
        assert_eq!(words_of(&5), "without words");
    }

    #[test]
    fn a_failure_is_one_line_with_the_command() {
        let failure = Failure { scenario: Scenario::Crash, seed: 7, reason: "lost".into() };
        assert_eq!(failure.to_string(), "cargo xtask sim --seed 7  # crash: lost");
    }
}

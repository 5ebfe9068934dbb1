//! How a simulated world is set up.

use std::fmt;
use std::ops::Range;

use super::NetConfig;
use super::trace::Observer;

/// How a world is set up.
pub struct WorldConfig {
    /// Steps (turns of hosts and jumps of time) until a run counts as a livelock.
    pub steps_max: u64,
    /// What a turn of a host takes, in nanoseconds, drawn evenly.
    pub turn_ns: Range<u64>,
    /// Memory for I/O of each host in bytes. Each size of lease takes a chunk of 2 MiB for good.
    pub arena_len: usize,
    /// The network between the hosts.
    pub net: NetConfig,
    /// Sees every line of the trace.
    pub observer: Option<Observer>,
}

impl Default for WorldConfig {
    fn default() -> Self {
        WorldConfig {
            steps_max: 10_000_000,
            turn_ns: 200..2_000,
            arena_len: 32 << 20,
            net: NetConfig::default(),
            observer: None,
        }
    }
}

/// Why a run returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The condition holds.
    Condition,
    /// The deadline is reached.
    Deadline,
    /// Nothing will ever happen again.
    Idle,
}

/// A run took more steps than its world allows: tasks keep each other busy without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Livelock {
    /// The seed of the world.
    pub seed: u64,
    /// Steps taken.
    pub steps: u64,
    /// Virtual time in nanoseconds.
    pub now_ns: u64,
}

impl fmt::Display for Livelock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Livelock { seed, steps, now_ns } = self;
        write!(f, "seed {seed}: no end after {steps} steps at {now_ns} ns of virtual time; ")?;
        f.write_str("look for tasks that wake each other, or raise steps_max")
    }
}

impl std::error::Error for Livelock {}

//! The smallest possible loops: what the machine itself can do, without the engine.
//!
//! They drop the data and record no latency. A loop counts as a ceiling only where it is clearly
//! faster than every program that does the whole work.

mod iscsi;
mod nbd;
mod sockopt;
mod uring;

pub use iscsi::{Iscsi, run_iscsi};
pub use nbd::{Nbd, NullServer, run_flushes, run_nbd, serve};
pub use uring::{Ceiling, run};

use std::io;
use std::time::Duration;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Reads or writes per second.
    pub iops: f64,
    /// User and system time of each of them, in nanoseconds.
    pub cpu_ns_per_io: f64,
    /// System calls of each of them.
    pub syscalls_per_io: f64,
    /// All of them, also those that do not count.
    pub ios: u64,
    /// The median latency in nanoseconds; zero where it was not measured.
    pub p50_ns: u64,
    /// The 99th percentile in nanoseconds; zero where it was not measured.
    pub p99_ns: u64,
}

impl Figures {
    fn of(ios: u64, elapsed: Duration, cpu_ns: u64, syscalls: u64) -> Figures {
        let count = ios.max(1) as f64;
        Figures {
            iops: count / elapsed.as_secs_f64(),
            cpu_ns_per_io: cpu_ns as f64 / count,
            syscalls_per_io: syscalls as f64 / count,
            ios,
            p50_ns: 0,
            p99_ns: 0,
        }
    }
}

/// Keeps this thread on a processor.
fn pin(cpu: Option<usize>) -> io::Result<()> {
    match cpu {
        Some(id) if !core_affinity::set_for_current(core_affinity::CoreId { id }) => {
            Err(io::Error::other(format!("cannot run on processor {id}")))
        }
        _ => Ok(()),
    }
}

/// Time that this thread was on a processor, user and system, in nanoseconds.
fn cpu_ns() -> u64 {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    line.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

//! What the kernel says of this process: processor time, memory, and the time of day.
//!
//! For measurements and reports, never for decisions: nothing here is on the data path.

use std::time::{SystemTime, UNIX_EPOCH};

/// What a process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in user mode, in nanoseconds.
    pub user_ns: u64,
    /// Processor time in the kernel, in nanoseconds.
    pub system_ns: u64,
    /// The most memory that was resident at once, in bytes.
    pub resident_max: u64,
    /// Switches to another thread while this one wanted to go on.
    pub preemptions: u64,
    /// Switches because there was nothing to do.
    pub waits: u64,
}

impl Usage {
    /// All threads of this process (`getrusage(RUSAGE_SELF)`).
    pub fn of_process() -> Usage {
        read(libc::RUSAGE_SELF)
    }

    /// The calling thread (`getrusage(RUSAGE_THREAD)`).
    pub fn of_thread() -> Usage {
        read(libc::RUSAGE_THREAD)
    }

    /// User and kernel time together, in nanoseconds.
    pub fn cpu_ns(&self) -> u64 {
        self.user_ns + self.system_ns
    }

    /// What was used since `before`; the memory is the most of all time.
    #[must_use]
    pub fn since(&self, before: &Usage) -> Usage {
        Usage {
            user_ns: self.user_ns.saturating_sub(before.user_ns),
            system_ns: self.system_ns.saturating_sub(before.system_ns),
            resident_max: self.resident_max,
            preemptions: self.preemptions.saturating_sub(before.preemptions),
            waits: self.waits.saturating_sub(before.waits),
        }
    }
}

fn read(who: libc::c_int) -> Usage {
    let mut raw = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel writes one `rusage` to the address, which has room for it.
    let status = unsafe { libc::getrusage(who, raw.as_mut_ptr()) };
    assert_eq!(status, 0, "getrusage fails for unknown scopes alone");
    // SAFETY: zeroes are a legal `rusage`, and so is what the kernel wrote.
    let raw = unsafe { raw.assume_init() };
    Usage {
        user_ns: nanoseconds(raw.ru_utime),
        system_ns: nanoseconds(raw.ru_stime),
        resident_max: raw.ru_maxrss.max(0) as u64 * 1024,
        preemptions: raw.ru_nivcsw.max(0) as u64,
        waits: raw.ru_nvcsw.max(0) as u64,
    }
}

fn nanoseconds(time: libc::timeval) -> u64 {
    time.tv_sec.max(0) as u64 * 1_000_000_000 + time.tv_usec.max(0) as u64 * 1000
}

/// Milliseconds since 1970, UTC; zero for a clock that stands before.
pub fn unix_time_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_time_and_memory() {
        let before = Usage::of_thread();
        let mut spent = Usage::default();
        // The kernel accounts in ticks on some machines, so it may take a while to show.
        while spent.cpu_ns() == 0 {
            std::hint::black_box((0..100_000u64).sum::<u64>());
            spent = Usage::of_thread().since(&before);
        }
        let all = Usage::of_process();
        assert!(all.cpu_ns() >= spent.cpu_ns() && all.resident_max > 100 << 10);
    }

    #[test]
    fn the_time_of_day_is_after_this_was_written() {
        assert!(unix_time_ms() > 1_700_000_000_000);
    }
}

//! Time on one core: the time-stamp counter where it can be trusted, the kernel's monotonic clock
//! where not, and a virtual clock under simulation.
//!
//! Invariant: `now` never goes back on one core.

use std::cell::Cell;
use std::fs;
use std::rc::Rc;
use std::time::Instant;

/// Nanoseconds per calibration of the time-stamp counter.
const CALIBRATION_NS: u64 = 2_000_000;

/// A source of nanoseconds.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The time-stamp counter, scaled: about 10 ns a reading.
    Tsc(TscClock),
    /// `CLOCK_MONOTONIC`: about 20 ns a reading.
    Monotonic(Instant),
    /// Virtual time, advanced by the simulation.
    Virtual(Rc<Cell<u64>>),
}

impl Clock {
    /// The best clock of this machine.
    pub fn real() -> Clock {
        match TscClock::calibrated() {
            Some(tsc) => Clock::Tsc(tsc),
            None => Clock::Monotonic(Instant::now()),
        }
    }

    /// A clock that stands at `ns` until it is advanced; clones show the same time.
    pub fn virtual_at(ns: u64) -> Clock {
        Clock::Virtual(Rc::new(Cell::new(ns)))
    }

    /// Nanoseconds since an arbitrary start.
    #[inline]
    pub fn now(&self) -> u64 {
        match self {
            Clock::Tsc(tsc) => tsc.now(),
            Clock::Monotonic(start) => start.elapsed().as_nanos() as u64,
            Clock::Virtual(ns) => ns.get(),
        }
    }

    /// Sets a virtual clock forward; no effect on real time.
    pub fn advance_to(&self, ns: u64) {
        if let Clock::Virtual(now) = self {
            now.set(now.get().max(ns));
        }
    }

    /// The word for the start-up report.
    pub fn name(&self) -> &'static str {
        match self {
            Clock::Tsc(_) => "tsc",
            Clock::Monotonic(_) => "monotonic",
            Clock::Virtual(_) => "virtual",
        }
    }
}

/// The time-stamp counter with its scale, calibrated once per process.
#[derive(Clone, Copy, Debug)]
pub struct TscClock {
    start: u64,
    /// Nanoseconds per tick, as a 32.32 fixed-point number.
    scale: u64,
}

impl TscClock {
    /// The counter, if the kernel itself trusts it as its clock source.
    pub fn calibrated() -> Option<TscClock> {
        static CLOCK: std::sync::OnceLock<Option<TscClock>> = std::sync::OnceLock::new();
        *CLOCK.get_or_init(calibrate)
    }

    #[inline]
    fn now(&self) -> u64 {
        let ticks = read_tsc().saturating_sub(self.start);
        ((u128::from(ticks) * u128::from(self.scale)) >> 32) as u64
    }
}

fn calibrate() -> Option<TscClock> {
    let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let trusted = matches!(fs::read_to_string(source).ok()?.trim(), "tsc" | "kvm-clock");
    if !trusted || !has_invariant_tsc() {
        return None;
    }
    let (began, start) = (Instant::now(), read_tsc());
    let mut elapsed = began.elapsed();
    while (elapsed.as_nanos() as u64) < CALIBRATION_NS {
        elapsed = began.elapsed();
    }
    let ticks = read_tsc().checked_sub(start).filter(|&t| t > 0)?;
    let scale = u64::try_from((elapsed.as_nanos() << 32) / u128::from(ticks)).ok()?;
    Some(TscClock { start, scale })
}

/// The counter runs at one rate in every power state (the flags of `/proc/cpuinfo`).
fn has_invariant_tsc() -> bool {
    let Ok(info) = fs::read_to_string("/proc/cpuinfo") else {
        return false;
    };
    let flags = info.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    ["constant_tsc", "nonstop_tsc"].iter().all(|f| flags.split_whitespace().any(|w| w == *f))
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn read_tsc() -> u64 {
    // SAFETY: RDTSC exists on every x86-64 processor and touches no memory.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn read_tsc() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_clock_never_goes_back() {
        let clock = Clock::real();
        let mut last = clock.now();
        for _ in 0..10_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn a_virtual_clock_stands_until_advanced() {
        let clock = Clock::virtual_at(5);
        let same = clock.clone();
        assert_eq!((clock.now(), same.now()), (5, 5));
        same.advance_to(9);
        same.advance_to(7);
        assert_eq!(clock.now(), 9);
    }
}

//! The numbers of one direction: operations, service and response times.

use hdrhistogram::Histogram;

/// Reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Reads.
    Read,
    /// Writes.
    Write,
}

impl Direction {
    /// The word for reports.
    pub fn word(&self) -> &'static str {
        match self {
            Direction::Read => "read",
            Direction::Write => "write",
        }
    }
}

/// The longest time that histograms tell apart: five minutes. Longer ones count as this.
pub const LATENCY_NS_MAX: u64 = 300_000_000_000;

/// An empty histogram of nanoseconds, with three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("constant bounds that are in order")
}

/// The numbers of one direction.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Operations that were done before the end of the measurement.
    pub ios: u64,
    /// Operations of an open loop that were due before the end and done after it.
    pub late_ios: u64,
    /// Submission to completion, in nanoseconds.
    pub service: Histogram<u64>,
    /// Intended start to completion, in nanoseconds; empty for a closed loop.
    pub response: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { ios: 0, late_ios: 0, service: histogram(), response: histogram() }
    }
}

impl Tally {
    /// Adds another tally to this one.
    pub fn merge(&mut self, other: &Tally) {
        self.ios += other.ios;
        self.late_ios += other.late_ios;
        let same = "histograms of the same bounds add up";
        self.service.add(&other.service).expect(same);
        self.response.add(&other.response).expect(same);
    }
}

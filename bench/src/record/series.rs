//! Latency over time: one point for every 100 ms.

use hdrhistogram::Histogram;

/// The length of an interval, in nanoseconds.
pub const INTERVAL_NS: u64 = 100_000_000;
/// Points that are kept; later intervals are counted in the totals alone (28 hours).
const POINTS_MAX: usize = 1_000_000;

/// One interval of one direction. Times are response times of an open loop, else service times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Operations done.
    pub ios: u64,
    /// Median in nanoseconds; of several threads, the worst.
    pub p50_ns: u64,
    /// 99th percentile in nanoseconds; of several threads, the worst.
    pub p99_ns: u64,
    /// Longest in nanoseconds.
    pub max_ns: u64,
}

/// The points of one direction, from the start of the measurement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series(Vec<Point>);

impl Series {
    /// Room for the points of `ns` nanoseconds, so that recording does not allocate.
    pub fn for_span(ns: u64) -> Series {
        let points = (ns / INTERVAL_NS).saturating_add(16).min(POINTS_MAX as u64);
        Series(Vec::with_capacity(points as usize))
    }

    /// The points.
    pub fn points(&self) -> &[Point] {
        &self.0
    }

    /// Adds the interval of `ios` operations that `times` holds.
    pub fn push(&mut self, ios: u64, times: &Histogram<u64>) {
        if self.0.len() < POINTS_MAX {
            self.0.push(Point {
                ios,
                p50_ns: times.value_at_quantile(0.5),
                p99_ns: times.value_at_quantile(0.99),
                max_ns: times.max(),
            });
        }
    }

    /// Adds the points of another thread: operations add up, times are the worst of both.
    pub fn merge(&mut self, other: &Series) {
        let longer = self.0.len().max(other.0.len());
        self.0.resize(longer, Point::default());
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            mine.ios += theirs.ios;
            mine.p50_ns = mine.p50_ns.max(theirs.p50_ns);
            mine.p99_ns = mine.p99_ns.max(theirs.p99_ns);
            mine.max_ns = mine.max_ns.max(theirs.max_ns);
        }
    }
}

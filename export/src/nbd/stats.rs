//! What a server has done, counted.

use std::cell::Cell;

/// Buckets of a histogram of latencies: the n-th holds those below 2^n nanoseconds.
pub const LATENCY_BUCKETS: usize = 40;

/// What was done for an export, on all of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportCounts {
    /// Requests that were answered.
    pub requests: u64,
    /// Those of them that failed.
    pub errors: u64,
    /// Bytes that clients read.
    pub read_bytes: u64,
    /// Bytes that clients wrote.
    pub written_bytes: u64,
    /// Flushes.
    pub flushes: u64,
    /// From the arrival of a request to the end of its work, by powers of two nanoseconds.
    pub latency: [u64; LATENCY_BUCKETS],
}

impl Default for ExportCounts {
    fn default() -> ExportCounts {
        ExportCounts {
            requests: 0,
            errors: 0,
            read_bytes: 0,
            written_bytes: 0,
            flushes: 0,
            latency: [0; LATENCY_BUCKETS],
        }
    }
}

impl ExportCounts {
    /// Counts one latency.
    #[inline]
    pub(crate) fn took(&mut self, ns: u64) {
        let bucket = (u64::BITS - ns.leading_zeros()) as usize;
        self.latency[bucket.min(LATENCY_BUCKETS - 1)] += 1;
    }

    /// The latency that `share` (0 to 1) of the requests do not exceed, in nanoseconds, rounded up
    /// to a power of two; nothing before the first request.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let all: u64 = self.latency.iter().sum();
        let wanted = (all as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        let found = self.latency.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map(|bucket| 1 << bucket)
    }
}

/// What was done on one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Requests that were answered.
    pub requests: u64,
    /// Those of them that failed.
    pub errors: u64,
}

/// One export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportStats {
    /// The name that clients ask for.
    pub name: String,
    /// What the device calls itself.
    pub device: String,
    /// Size in bytes.
    pub size: u64,
    /// Writes are refused.
    pub read_only: bool,
    /// Connections in the transmission phase.
    pub connections: usize,
    /// Whether this server may write now.
    pub has_right: bool,
    /// What was done.
    pub counts: ExportCounts,
}

/// One connection in the transmission phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionStats {
    /// Its export.
    pub export: String,
    /// Who is on the other side.
    pub peer: String,
    /// Requests that live.
    pub requests: u32,
    /// Bytes of data that it holds.
    pub held_bytes: u64,
    /// What was done.
    pub counts: ConnectionCounts,
}

/// A server at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Exports, by name.
    pub exports: Vec<ExportStats>,
    /// Connections in the transmission phase.
    pub connections: Vec<ConnectionStats>,
    /// Connections that were accepted since the start.
    pub accepted: u64,
    /// Connections that were turned away since the start: there were too many.
    pub turned_away: u64,
    /// Connections at this moment, those in their handshake included.
    pub served: u32,
}

/// Adds to a counter.
pub(crate) fn count(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_rounded_up_to_a_power_of_two() {
        let mut counts = ExportCounts::default();
        assert_eq!(counts.quantile(0.5), None);
        (0..99).for_each(|_| counts.took(1000));
        counts.took(1_000_000);
        assert_eq!(counts.quantile(0.5), Some(1024));
        assert_eq!(counts.quantile(1.0), Some(1 << 20));
    }
}

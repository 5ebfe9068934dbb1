//! What a thread records: a histogram of every operation, a point for every interval, the errors.
//!
//! Invariants: one histogram record for each operation and kind of time, without allocation; a
//! failed operation is in no histogram and in no count of done ones.

mod errors;
mod recorder;
mod series;
mod tally;

pub use errors::{ERRORS_MAX, ErrorLog, Failure};
pub use recorder::{Finished, Recorder};
pub use series::{INTERVAL_NS, Point, Series};
pub use tally::{Direction, LATENCY_NS_MAX, Tally, histogram};

#[cfg(test)]
mod tests;

//! Running a spec on a device: threads, the three interfaces of the library, and the result.
//!
//! Invariants: every thread is set up before any starts, and they start together; a thread that
//! cannot be set up ends the run before anything is measured; what is measured is measured by the
//! threads themselves at their own start and end of counting.

mod client;
mod fill;
mod house;
mod native;
mod poll;
mod progress;
mod result;
mod thread_exec;
mod threads;

pub use house::Cost;
pub use progress::Progress;
pub use result::{JobResult, RunResult};
pub use threads::{RunOptions, run};

#[cfg(test)]
mod tests;

//! The smallest possible loops: what the machine itself can do, without the engine.
//!
//! They drop the data and record no latency. A loop counts as a ceiling only where it is clearly
//! faster than every program that does the whole work.

mod iscsi;
mod uring;

pub use iscsi::{Iscsi, run_iscsi};
pub use uring::{Ceiling, Figures, run};

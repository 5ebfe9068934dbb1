//! Results for people and for programs: table, JSON, interval log, HTML.
//!
//! Invariant: a file is written beside its place and renamed when it is whole, so that an
//! interrupted or failed run leaves no half of one.

mod chart;
mod file;
mod hdr;
mod html;
mod json;
mod table;

pub use chart::{Chart, Line, Scale};
pub use file::{check_place, write_whole};
pub use hdr::interval_log;
pub use html::{run_page, sweep_page};
pub use json::{
    FailedIo, FioJob, FioLatency, FioRun, FioSide, JobExtra, RunExtra, SeriesPoint, run_json,
};
pub(crate) use table::show_count;
pub use table::{run_table, sweep_table};

#[cfg(test)]
mod tests;

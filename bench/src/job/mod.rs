//! What is to be run: a run of one or more jobs, read from words.
//!
//! Invariant: a [`RunSpec`] has been checked against every limit that does not depend on the
//! device; [`RunSpec::check_device`] checks the rest before a thread starts. The command line and
//! job files give the same words (see [`KEYS`]), so there is one parser and one set of errors.

mod file;
mod parse;
mod spec;

pub use file::job_file;
pub use parse::{JobWords, KEYS, Key};
pub use spec::{Api, JobSpec, Pattern, RunSpec};

/// Requests in flight of one job.
pub const QD_MAX: u32 = 4096;
/// Jobs of one run, all threads counted.
pub const JOBS_MAX: u32 = 256;
/// Bytes of one request: the largest lease.
pub const BS_MAX: u32 = byway_engine::memory::LEASE_LEN_MAX;
/// Bytes of buffers of one job.
pub const BUFFERS_MAX: u64 = 4 << 30;
/// Blocks that a verified job can remember the generation of.
pub const VERIFY_BLOCKS_MAX: u64 = 1 << 26;
/// Bytes of a job file.
pub const JOB_FILE_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests;

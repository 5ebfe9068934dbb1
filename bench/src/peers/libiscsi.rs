//! libiscsi as a peer: `iscsi-perf` of Debian's package libiscsi-bin, which only reads.
//!
//! It runs for whole seconds, sleeps in poll(2), and knows no pinning (`taskset` does that), no
//! digest of data and no writes; its average counts from the first command on.

use std::process::Command;

use byway_engine::SetupError;

use super::contender::{Contender, Figures};
use crate::job::{JobSpec, RunSpec};

/// The name in tables.
pub const LIBISCSI_NAME: &str = "libiscsi";
const PROGRAM: &str = "iscsi-perf";
const PACKAGE: &str = "libiscsi-bin";
/// A shorter life is too short for the meter of processor time.
const SECONDS_MIN: u64 = 2;
/// What stands before the result.
const AVERAGE: &str = "iops average ";

/// A unit, as libiscsi takes it.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// `iscsi://HOST:PORT/TARGET/LUN`.
    pub url: &'a str,
    /// Bytes of a block.
    pub block_len: u32,
    /// Bytes of the unit.
    pub size: u64,
}

/// `iscsi-perf` for the first job of `spec`, where it can do that job.
///
/// # Errors
/// Where it is not installed.
pub fn libiscsi_contender(
    spec: &RunSpec,
    unit: &Unit<'_>,
) -> Result<Option<Contender>, SetupError> {
    match args(spec, unit) {
        None => Ok(None),
        Some(args) => Ok(Some(Contender {
            name: LIBISCSI_NAME.into(),
            version: version()?,
            program: "taskset".into(),
            args,
            read: from_iscsi_perf,
            server: None,
        })),
    }
}

/// Its command line; none for a job that it cannot do.
pub(super) fn args(spec: &RunSpec, unit: &Unit<'_>) -> Option<Vec<String>> {
    let [job] = &spec.jobs[..] else { return None };
    let random = job.pattern.word() == "randread";
    if !(random || job.pattern.word() == "read") || !is_plain(job, unit) {
        return None;
    }
    let cores: Vec<_> = job.cores.iter().map(usize::to_string).collect();
    let cores = if cores.is_empty() { "0-1023".into() } else { cores.join(",") };
    let mut args = vec!["-c".into(), cores, PROGRAM.into()];
    if random {
        args.push("-r".into());
    }
    let mut add = |key: &str, word: u64| args.extend([key.into(), word.to_string()]);
    add("-m", job.qd.into());
    add("-b", u64::from(job.bs / unit.block_len));
    add("-t", spec.runtime_ns.div_ceil(1_000_000_000).max(SECONDS_MIN));
    args.push(unit.url.into());
    Some(args)
}

/// Whole blocks of the whole unit, as fast as they come.
fn is_plain(job: &JobSpec, unit: &Unit<'_>) -> bool {
    let whole = job.range(unit.size) == unit.size && job.bs.is_multiple_of(unit.block_len);
    whole && job.jobs == 1 && job.rate.is_none() && job.zipf.is_none() && !job.verify
}

/// What the package is, as the program itself always says 0.1.
fn version() -> Result<String, SetupError> {
    let remedy = "install it (Debian: apt-get install libiscsi-bin), or leave it out with --only";
    if Command::new(PROGRAM).arg("--version").output().is_err() {
        return Err(SetupError::new(PROGRAM, "not installed", remedy));
    }
    let mut asked = Command::new("dpkg-query");
    let output = asked.args(["--show", "--showformat=${Version}", PACKAGE]).output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let text = text.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    Ok(text.map_or("unknown".into(), |version| format!("{PACKAGE} {version}")))
}

/// Reads the last average that it prints: each overwrites the one before.
pub(super) fn from_iscsi_perf(text: &str) -> Result<Figures, String> {
    let last = text.rsplit_once(AVERAGE).map(|(_, rest)| rest.split(' ').next());
    let iops = last.flatten().and_then(|word| word.parse().ok());
    let iops = iops.ok_or_else(|| format!("{PROGRAM} printed no average"))?;
    Ok(Figures { iops, ..Figures::default() })
}

//! fio as a peer: its best settings for the same work.
//!
//! Source: fio's HOWTO, "I/O engine specific parameters". Latencies are measured, as ours are.
//! fio's own figure of processor time is that of its job threads alone; the meter has the last word.

use std::path::Path;

use byway_engine::SetupError;

use super::Choice;
use super::contender::{Contender, Figures, of_jobs, program_version};
use crate::job::{JobSpec, RunSpec};
use crate::report::run_json;

const REMEDY: &str = "install it (Debian: apt-get install fio), or set PATH";

/// fio's ways to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// `io_uring`, with registered files and fixed buffers.
    Uring,
    /// `libaio`.
    Aio,
    /// `nbd`: libnbd against a server.
    Nbd,
}

impl Engine {
    /// The name in tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Engine::Uring => "fio-io_uring",
            Engine::Aio => "fio-libaio",
            Engine::Nbd => "fio-nbd",
        }
    }

    fn options(&self) -> &'static [&'static str] {
        match self {
            Engine::Uring => {
                &["--direct=1", "--ioengine=io_uring", "--registerfiles=1", "--fixedbufs=1"]
            }
            Engine::Aio => &["--direct=1", "--ioengine=libaio"],
            Engine::Nbd => &["--ioengine=nbd"],
        }
    }
}

/// fio's engines for the first job of `spec` on the file or block device at `path`.
///
/// # Errors
/// Where fio is not installed, or the job is one that fio cannot do in the same way.
pub fn fio_contenders(spec: &RunSpec, path: &Path, size: u64) -> Result<Vec<Choice>, SetupError> {
    let version = program_version("fio", REMEDY)?;
    let job = comparable(spec)?;
    let choice = |engine: Engine| Choice {
        name: engine.name().into(),
        candidates: batches(job.qd)
            .into_iter()
            .map(|batch| contender(engine, spec, job, (path, size), batch, &version))
            .collect(),
    };
    Ok([Engine::Uring, Engine::Aio].map(choice).into())
}

/// fio's NBD engine for the first job of `spec` on the export at `uri`, such as
/// `nbd+unix:///?socket=/tmp/socket`.
///
/// # Errors
/// As of [`fio_contenders`].
pub fn fio_nbd_contender(spec: &RunSpec, uri: &str, size: u64) -> Result<Contender, SetupError> {
    let version = program_version("fio", REMEDY)?;
    let job = comparable(spec)?;
    Ok(contender(Engine::Nbd, spec, job, (Path::new(uri), size), 1, &version))
}

/// The only job of a run, where fio can do the same.
fn comparable(spec: &RunSpec) -> Result<&JobSpec, SetupError> {
    let [job] = &spec.jobs[..] else {
        return Err(SetupError::new("peers", "more than one job", "run one job at a time"));
    };
    if job.rate.is_some() {
        let remedy = "run without --rate: fio has no correct open loop with asynchronous engines";
        return Err(SetupError::new("peers", "an open loop cannot be compared", remedy));
    }
    if job.verify {
        return Err(SetupError::new("peers", "verification costs differ", "run without --verify"));
    }
    Ok(job)
}

/// Sizes of batches worth a trial: one by one, a quarter, a half, all.
pub(super) fn batches(qd: u32) -> Vec<u32> {
    let mut sizes = vec![1, qd / 4, qd / 2, qd];
    sizes.retain(|size| *size > 0);
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn contender(
    engine: Engine,
    spec: &RunSpec,
    job: &JobSpec,
    (path, size): (&Path, u64),
    batch: u32,
    version: &str,
) -> Contender {
    let place = match engine {
        Engine::Nbd => format!("--uri={}", path.display()),
        // fio splits the words of --filename at colons.
        _ => format!("--filename={}", path.display().to_string().replace(':', "\\:")),
    };
    let mut args: Vec<String> = vec![format!("--name={}", job.name), place];
    let fixed = engine.options().iter().chain(&[
        "--thread",
        "--norandommap",
        "--disable_slat=1",
        "--time_based",
        "--output-format=json",
    ]);
    args.extend(fixed.map(|&option| option.to_owned()));
    let mut add = |key: &str, word: String| args.push(format!("--{key}={word}"));
    add("rw", job.pattern.word().into());
    add("bs", job.bs.to_string());
    add("iodepth", job.qd.to_string());
    if batch > 1 {
        add("iodepth_batch_submit", batch.to_string());
        add("iodepth_batch_complete_min", "1".into());
        add("iodepth_batch_complete_max", job.qd.to_string());
    }
    add("numjobs", job.jobs.to_string());
    add("size", job.range(size).to_string());
    add("runtime", format!("{}ms", spec.runtime_ns / 1_000_000));
    if spec.warmup_ns > 0 {
        add("ramp_time", format!("{}ms", spec.warmup_ns / 1_000_000));
    }
    add("randseed", spec.seed.to_string());
    if job.pattern.writes() {
        add("rwmixread", job.pattern.read_percent.to_string());
    } else {
        args.push("--readonly".into());
    }
    extras(job, &mut args);
    Contender {
        name: engine.name().into(),
        version: version.into(),
        program: "fio".into(),
        args,
        read: from_fio,
        server: None,
    }
}

fn extras(job: &JobSpec, args: &mut Vec<String>) {
    if let Some(exponent) = job.zipf {
        args.push(format!("--random_distribution=zipf:{exponent}"));
    }
    if job.fua && job.pattern.writes() {
        args.push("--sync=dsync".into());
    }
    if !job.cores.is_empty() {
        let cores: Vec<_> = job.cores.iter().map(usize::to_string).collect();
        args.push(format!("--cpus_allowed={}", cores.join(",")));
        args.push("--cpus_allowed_policy=split".into());
    }
}

/// Reads fio's JSON, behind what it may say first.
fn from_fio(text: &str) -> Result<Figures, String> {
    let start = text.find('{').ok_or("fio printed no JSON")?;
    let run = run_json("fio's output", &text[start..]).map_err(|error| error.to_string())?;
    let cpu_ns = |job: &crate::report::FioJob| {
        (job.usr_cpu + job.sys_cpu) / 100.0 * job.job_runtime as f64 * 1e6
    };
    let ios: u64 = run.jobs.iter().map(|job| job.read.total_ios + job.write.total_ios).sum();
    let cpu: f64 = run.jobs.iter().map(cpu_ns).sum();
    Ok(Figures { cpu_ns_per_io: cpu / ios.max(1) as f64, ..of_jobs(&run)? })
}

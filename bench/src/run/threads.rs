//! The threads of a run: one for each job and number, pinned in turn, set up before any starts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use byway_engine::SetupError;
use byway_engine::block::BlockDevice;
use byway_engine::core::CoreConfig;
use byway_engine::memory::{ArenaConfig, Lease};
use byway_engine::usage::unix_time_ms;

use super::house::{Cost, House, Shared};
use super::progress::Progress;
use super::result::{JobResult, RunResult};
use super::{client, native, poll};
use crate::generator::{Generator, split_mix};
use crate::job::{Api, JobSpec, RunSpec};
use crate::load::{Load, LoadConfig, Outcome, Pace};
use crate::machine::Machine;

/// The longest wait of a runner before it looks around, in nanoseconds.
pub(super) const WAIT_NS_MAX: u64 = 100_000_000;
/// How often the progress line changes.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// What a run needs besides its spec.
#[derive(Debug, Default)]
pub struct RunOptions {
    /// Set to end the run early, with the result so far.
    pub stop: Arc<AtomicBool>,
    /// Show a progress line on a terminal.
    pub progress: bool,
    /// Keep a histogram of every second, for an interval log.
    pub log: bool,
    /// The settings of each core, apart from its processor, its memory and its poll mode.
    pub core: CoreConfig,
}

/// The work of one thread.
pub(super) struct Work {
    config: LoadConfig,
    generator: Generator,
    pace: Option<Pace>,
}

impl Work {
    /// The work of thread `index` of `job`, on a device of `size` bytes. `stream` tells threads of
    /// one run apart.
    fn new(spec: &RunSpec, job: &JobSpec, index: u32, stream: u64, size: u64, log: bool) -> Work {
        let mut state = spec.seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut seed = || split_mix(&mut state);
        let blocks = job.blocks_per_thread(size);
        let pattern = job.pattern;
        let generator =
            Generator::new(seed(), blocks, pattern.sequential, job.zipf, pattern.read_percent);
        let config = LoadConfig {
            base: u64::from(index) * blocks * u64::from(job.bs),
            blocks,
            bs: job.bs,
            qd: job.qd,
            fua: job.fua,
            verify: job.verify.then_some(spec.seed),
            seed: seed(),
            warmup_ns: spec.warmup_ns,
            runtime_ns: spec.runtime_ns,
            log,
        };
        let pace = job.rate.map(|rate| Pace::new(rate, index, job.jobs, seed()));
        Work { config, generator, pace }
    }

    pub(super) fn depth(&self) -> u32 {
        self.config.qd
    }

    /// The load, with buffers from `lease`, from `now` on.
    pub(super) fn load(
        self,
        lease: impl Fn(u32) -> Option<Lease>,
        now: u64,
    ) -> Result<Load, SetupError> {
        Load::new(self.config, self.generator, self.pace, lease, now)
    }
}

/// What a thread has done and what it cost.
pub(super) struct Done {
    outcome: Outcome,
    cost: Cost,
}

impl Done {
    pub(super) fn new(load: Load, house: House) -> Done {
        Done { outcome: load.finish(), cost: house.cost() }
    }
}

/// Where threads wait for each other.
pub(super) struct Start {
    barrier: Arc<Barrier>,
    shared: Arc<Shared>,
}

impl Start {
    /// Waits until all threads are set up. Gives back what was set up, or the error; where another
    /// thread failed, an error that says so.
    pub(super) fn together<T>(self, opened: Result<T, SetupError>) -> Result<T, SetupError> {
        if opened.is_err() {
            self.shared.failed.store(true, Ordering::Release);
        }
        self.barrier.wait();
        if opened.is_ok() && self.shared.failed.load(Ordering::Acquire) {
            return Err(SetupError::new("run", "another thread could not be set up", "see above"));
        }
        opened
    }
}

/// Runs `spec` on `device` and waits for the result.
///
/// # Errors
/// Where the spec does not fit the device, or a core or channel cannot be set up. Failed
/// operations are no error of the run: they are in its result.
pub fn run(
    spec: &RunSpec,
    device: &Arc<dyn BlockDevice>,
    options: &RunOptions,
) -> Result<RunResult, SetupError> {
    let info = device.info();
    spec.check_device(&info)?;
    if spec.fill {
        let len = spec.range(info.size);
        super::fill::fill(&**device, len, spec.seed, &options.core, options.progress)?;
    }
    let machine = Machine::record();
    let started_ms = unix_time_ms();
    let shared = Arc::new(Shared::new(Arc::clone(&options.stop)));
    let done = run_threads(spec, device, options, &shared, info.size)?;
    let mut jobs: Vec<_> = spec.jobs.iter().cloned().map(JobResult::new).collect();
    let mut cost = Cost::default();
    for (job, done) in done {
        cost.add(&done.cost);
        jobs[job].add(done.outcome, &done.cost);
    }
    let interrupted = options.stop.load(Ordering::Relaxed);
    Ok(RunResult { spec: spec.clone(), device: info, started_ms, jobs, cost, machine, interrupted })
}

type Report = (usize, Result<Done, SetupError>);

fn run_threads(
    spec: &RunSpec,
    device: &Arc<dyn BlockDevice>,
    options: &RunOptions,
    shared: &Arc<Shared>,
    size: u64,
) -> Result<Vec<(usize, Done)>, SetupError> {
    let barrier = Arc::new(Barrier::new(spec.threads() as usize));
    let (report, reports) = mpsc::channel::<Report>();
    std::thread::scope(|scope| {
        let mut stream = 0;
        for (number, job) in spec.jobs.iter().enumerate() {
            for index in 0..job.jobs {
                let work = Work::new(spec, job, index, stream, size, options.log);
                stream += 1;
                let config = core_config(spec, job, index, device.memory_len(), &options.core);
                let (barrier, shared) = (Arc::clone(&barrier), Arc::clone(shared));
                let (report, api) = (report.clone(), spec.api);
                let open_loop = job.rate.is_some();
                scope.spawn(move || {
                    if open_loop {
                        sharpen_timers();
                    }
                    let start = Start { barrier, shared: Arc::clone(&shared) };
                    let house = House::new(shared);
                    let done = match api {
                        Api::Poll => poll::run(work, &**device, &config, house, start),
                        Api::Native => native::run(work, device, &config, house, start),
                        Api::Client => client::run(work, device, &config, house, start),
                    };
                    // The receiver lives until every thread has reported.
                    let _sent = report.send((number, done));
                });
            }
        }
        drop(report);
        collect(spec, options, shared, &reports)
    })
}

/// Waits for all reports; the error that came first is the cause of the others.
fn collect(
    spec: &RunSpec,
    options: &RunOptions,
    shared: &Shared,
    reports: &mpsc::Receiver<Report>,
) -> Result<Vec<(usize, Done)>, SetupError> {
    let progress = Progress::new(options.progress, spec.warmup_ns + spec.runtime_ns);
    let mut done = Vec::new();
    let mut failure: Option<SetupError> = None;
    loop {
        match reports.recv_timeout(PROGRESS_EVERY) {
            Ok((job, Ok(thread))) => done.push((job, thread)),
            Ok((_, Err(error))) => {
                let is_echo = error.thing == "run";
                failure = match failure {
                    Some(first) if is_echo || first.thing != "run" => Some(first),
                    _ => Some(error),
                };
            }
            Err(mpsc::RecvTimeoutError::Timeout) => progress.show(shared.done()),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    progress.end();
    failure.map_or(Ok(done), Err)
}

/// Lets this thread, and those it starts, wake within a microsecond of an intended start instead
/// of the usual 50. Where the kernel refuses, starts are late, and the response times say so.
fn sharpen_timers() {
    let thread = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    if let Some(id) = thread.file_name() {
        let slack = std::path::Path::new("/proc").join(id).join("timerslack_ns");
        if let Err(error) = std::fs::write(&slack, "1000") {
            tracing::debug!(%error, "timers stay as coarse as they are");
        }
    }
}

/// The core of thread `index`: its processor in turn, memory for its buffers, for `extra` bytes of
/// the device's own, and little more.
fn core_config(
    spec: &RunSpec,
    job: &JobSpec,
    index: u32,
    extra: usize,
    base: &CoreConfig,
) -> CoreConfig {
    let cpu = job.cores.get(index as usize % job.cores.len().max(1)).copied();
    let arena = ArenaConfig { len: job.buffers() as usize + extra, ..base.arena };
    CoreConfig { cpu, arena, poll_mode: spec.poll_mode, ..base.clone() }
}

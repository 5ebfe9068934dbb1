//! The meaning of a run, after parsing.

use std::fmt;

use byway_engine::SetupError;
use byway_engine::block::DeviceInfo;
use byway_engine::core::PollMode;

use super::{BUFFERS_MAX, VERIFY_BLOCKS_MAX};
use crate::words::{Rate, show_size};

/// The order of offsets and the share of reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// One offset after the other; else at random.
    pub sequential: bool,
    /// Reads of a hundred operations.
    pub read_percent: u8,
}

impl Pattern {
    /// The word of `--rw`, without the share of reads.
    pub fn word(&self) -> &'static str {
        match (self.sequential, self.read_percent) {
            (true, 100) => "read",
            (true, 0) => "write",
            (true, _) => "rw",
            (false, 100) => "randread",
            (false, 0) => "randwrite",
            (false, _) => "randrw",
        }
    }

    /// True where some operations are writes.
    pub fn writes(&self) -> bool {
        self.read_percent < 100
    }
}

/// Which of the library's interfaces drives the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `PollQueue`: the thread submits and polls by itself.
    Poll,
    /// One task per request slot on the reactor.
    Native,
    /// `Client` from another thread than the reactor's.
    Client,
}

impl Api {
    /// The word of `--api`.
    pub fn word(&self) -> &'static str {
        match self {
            Api::Poll => "poll",
            Api::Native => "native",
            Api::Client => "client",
        }
    }
}

/// One job: a workload, run by `jobs` threads at the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSpec {
    /// Its name in reports.
    pub name: String,
    /// Order and share of reads.
    pub pattern: Pattern,
    /// Bytes of each request.
    pub bs: u32,
    /// Requests in flight of each thread.
    pub qd: u32,
    /// Threads.
    pub jobs: u32,
    /// The cores the threads are pinned to in turn; empty for wherever the kernel puts them.
    pub cores: Vec<usize>,
    /// Bytes of the device that are used, from its start; the whole device where not given.
    pub size: Option<u64>,
    /// The rate of all threads together; closed loop where not given.
    pub rate: Option<Rate>,
    /// Stamp written blocks and check what is read.
    pub verify: bool,
    /// The exponent of a Zipf distribution of offsets; uniform where not given.
    pub zipf: Option<f64>,
    /// Writes are durable when they complete.
    pub fua: bool,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSpec {
    /// How long is measured, in nanoseconds.
    pub runtime_ns: u64,
    /// How long runs before, uncounted, in nanoseconds.
    pub warmup_ns: u64,
    /// Where every random number comes from.
    pub seed: u64,
    /// The interface that is measured.
    pub api: Api,
    /// Whether cores spin.
    pub poll_mode: PollMode,
    /// Write what the jobs use once, before anything is measured.
    pub fill: bool,
    /// What runs at the same time.
    pub jobs: Vec<JobSpec>,
}

impl RunSpec {
    /// Threads of all jobs.
    pub fn threads(&self) -> u32 {
        self.jobs.iter().map(|job| job.jobs).sum()
    }

    /// Bytes from the start of a device of `size` bytes that some job uses.
    pub fn range(&self, size: u64) -> u64 {
        self.jobs.iter().map(|job| job.range(size)).max().unwrap_or(0)
    }

    /// Checks what depends on the device, so that a mistake is said before anything runs.
    pub fn check_device(&self, info: &DeviceInfo) -> Result<(), SetupError> {
        if self.fill && info.read_only {
            let name = info.name.clone();
            return Err(SetupError::new(
                name,
                "read-only, so it cannot be filled",
                "run without --fill",
            ));
        }
        self.jobs.iter().try_for_each(|job| job.check_device(info))
    }
}

impl JobSpec {
    /// Bytes that the job uses of a device of `size` bytes, in all threads.
    pub fn range(&self, size: u64) -> u64 {
        self.size.unwrap_or(size)
    }

    /// Blocks that each thread has to itself: the range is divided evenly between them.
    pub fn blocks_per_thread(&self, size: u64) -> u64 {
        self.range(size) / u64::from(self.bs) / u64::from(self.jobs)
    }

    fn check_device(&self, info: &DeviceInfo) -> Result<(), SetupError> {
        let error = |problem: String, remedy: String| {
            Err(SetupError::new(info.name.clone(), problem, remedy))
        };
        let (block, bs) = (info.block_len, self.bs);
        if !bs.is_multiple_of(block) {
            return error(
                format!("blocks of {block} bytes do not go into --bs {bs}"),
                format!("use a multiple of {block}"),
            );
        }
        if bs > info.io_len_max {
            return error(
                format!("takes at most {} bytes at once, not --bs {bs}", info.io_len_max),
                format!("use --bs {}", show_size(u64::from(info.io_len_max))),
            );
        }
        if self.qd > info.depth_max {
            return error(
                format!("takes at most {} requests at once, not --qd {}", info.depth_max, self.qd),
                format!("use --qd {} or less", info.depth_max),
            );
        }
        if info.read_only && self.pattern.writes() {
            return error(
                "read-only".into(),
                "use --rw read or randread, or open it for \
                writing"
                    .into(),
            );
        }
        self.check_size(info)
    }

    fn check_size(&self, info: &DeviceInfo) -> Result<(), SetupError> {
        let error = |problem: String, remedy: String| {
            Err(SetupError::new(info.name.clone(), problem, remedy))
        };
        if self.range(info.size) > info.size {
            return error(
                format!(
                    "{} bytes long, shorter than --size {}",
                    info.size,
                    show_size(self.range(info.size))
                ),
                format!("use --size {} or less, or make it longer", show_size(info.size)),
            );
        }
        let blocks = self.blocks_per_thread(info.size);
        if blocks == 0 {
            return error(
                format!(
                    "{} bytes hold no block of --bs {} for each of {} threads",
                    self.range(info.size),
                    show_size(u64::from(self.bs)),
                    self.jobs
                ),
                "use a longer device, a smaller --bs or fewer --jobs".into(),
            );
        }
        if self.verify && blocks < u64::from(self.qd) {
            return error(
                format!("{blocks} blocks per thread for {} requests in flight", self.qd),
                "with --verify, use --qd below the number of blocks, or a larger --size".into(),
            );
        }
        if self.verify && blocks > VERIFY_BLOCKS_MAX {
            return error(
                format!("{blocks} blocks to remember, at most {VERIFY_BLOCKS_MAX}"),
                "with --verify, use a smaller --size or a larger --bs".into(),
            );
        }
        Ok(())
    }

    /// Bytes of buffers that one thread needs.
    pub fn buffers(&self) -> u64 {
        u64::from(self.qd) * u64::from(self.bs.next_power_of_two())
    }

    pub(super) fn has_buffers(&self) -> bool {
        self.buffers() <= BUFFERS_MAX
    }
}

impl fmt::Display for JobSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bs = show_size(u64::from(self.bs));
        write!(f, "{} {bs} qd {} jobs {}", self.pattern.word(), self.qd, self.jobs)?;
        match &self.rate {
            Some(rate) => write!(f, " rate {}", rate.word()),
            None => Ok(()),
        }
    }
}

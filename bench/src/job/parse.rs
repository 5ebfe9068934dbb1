//! From words to a run: one table of keys for the command line and for job files.

use std::collections::BTreeMap;

use byway_engine::core::PollMode;

use super::spec::{Api, JobSpec, Pattern, RunSpec};
use super::{BS_MAX, BUFFERS_MAX, JOBS_MAX, QD_MAX};
use crate::words::{self, WordError, cores, rate, show_size, size, span_ns};

/// One key: what the command line calls `--key` and a job file `key`.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// It belongs to the whole run, not to one job.
    pub of_run: bool,
    /// One line of help, with the default.
    pub help: &'static str,
}

const fn of_job(name: &'static str, help: &'static str) -> Key {
    Key { name, of_run: false, help }
}

const fn of_run(name: &'static str, help: &'static str) -> Key {
    Key { name, of_run: true, help }
}

/// Every key that there is.
pub const KEYS: &[Key] = &[
    of_job("name", "Name of the job in reports [default: the word of --rw]"),
    of_job("rw", "read, write, rw, randread, randwrite or randrw [default: randread]"),
    of_job("bs", "Bytes of a request [default: 4k]"),
    of_job("qd", "Requests in flight of each thread, at most 4096 [default: 32]"),
    of_job("jobs", "Threads [default: 1]"),
    of_job("cores", "Cores the threads are pinned to in turn, such as 0,2-3"),
    of_job("size", "Bytes of the device to use, from its start [default: all]"),
    of_job("mix", "Percentage of reads for rw and randrw [default: 50]"),
    of_job("rate", "Open loop: operations per second of all threads, such as 50k or 50k:poisson"),
    of_job("verify", "crc32c: stamp what is written and check what is read [default: none]"),
    of_job("zipf", "Exponent of a Zipf distribution of offsets, above 0 and at most 10"),
    of_job("fua", "true: writes are durable when they complete [default: false]"),
    of_run("runtime", "How long to measure [default: 10s]"),
    of_run("warmup", "How long to run before, uncounted [default: 1s]"),
    of_run("seed", "Where every random number comes from [default: 1]"),
    of_run("fill", "true: write what is used once, before anything is measured [default: false]"),
    of_run("api", "poll, native or client [default: poll]"),
    of_run("poll-mode", "never, adaptive or always: whether cores spin [default: adaptive]"),
];

/// Keys with their words, not yet understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobWords(BTreeMap<&'static str, String>);

impl JobWords {
    /// Gives `key` its word; an unknown key is an error that lists those there are.
    pub fn set(&mut self, key: &str, word: impl Into<String>) -> Result<(), WordError> {
        let known = KEYS.iter().find(|k| k.name == key).ok_or_else(|| unknown(key))?;
        self.0.insert(known.name, word.into());
        Ok(())
    }

    /// These words, and those of `below` for keys that have none here.
    #[must_use]
    pub fn over(mut self, below: &JobWords) -> JobWords {
        for (key, word) in &below.0 {
            self.0.entry(key).or_insert_with(|| word.clone());
        }
        self
    }

    /// The first key that only a whole run can have.
    pub fn key_of_run(&self) -> Option<&'static str> {
        let of_run = KEYS.iter().filter(|key| key.of_run);
        of_run.map(|key| key.name).find(|name| self.0.contains_key(name))
    }

    /// Reads `key` with `parse`, or takes `default` where it has no word.
    fn read<T>(
        &self,
        key: &str,
        default: T,
        parse: impl Fn(&str) -> Result<T, WordError>,
    ) -> Result<T, WordError> {
        self.0.get(key).map_or(Ok(default), |word| parse(word).map_err(|e| e.of(key)))
    }
}

fn unknown(key: &str) -> WordError {
    let names: Vec<_> = KEYS.iter().map(|k| k.name).collect();
    WordError::new(format!("'{key}'"), "not a key", format!("use one of {}", names.join(", ")))
}

impl RunSpec {
    /// A run of `jobs` (one job where there are none), each over the words of the run.
    pub fn parse(run: &JobWords, jobs: &[JobWords]) -> Result<RunSpec, WordError> {
        let only = [JobWords::default()];
        let jobs = if jobs.is_empty() { &only[..] } else { jobs };
        let jobs = jobs.iter().map(|job| JobSpec::parse(&job.clone().over(run)));
        let spec = RunSpec {
            runtime_ns: run.read("runtime", 10_000_000_000, span_ns)?,
            warmup_ns: run.read("warmup", 1_000_000_000, span_ns)?,
            seed: run.read("seed", 1, seed)?,
            api: run.read("api", Api::Poll, api)?,
            fill: run.read("fill", false, truth)?,
            poll_mode: run.read("poll-mode", PollMode::Adaptive, poll_mode)?,
            jobs: jobs.collect::<Result<_, _>>()?,
        };
        let error = |word: String, problem: String, remedy: &str| {
            Err(WordError::new(word, problem, remedy))
        };
        if spec.runtime_ns == 0 {
            return error("runtime '0'".into(), "nothing would be measured".into(), "use 1s or so");
        }
        let threads = spec.jobs.iter().map(|job| u64::from(job.jobs)).sum::<u64>();
        if threads > u64::from(JOBS_MAX) {
            let problem = format!("{threads} threads in all jobs, at most {JOBS_MAX}");
            return error("jobs".into(), problem, "use fewer");
        }
        Ok(spec)
    }
}

impl JobSpec {
    fn parse(words: &JobWords) -> Result<JobSpec, WordError> {
        let mix = words.read("mix", None, |w| percent(w).map(Some))?;
        let pattern = words.read("rw", pattern("randread", mix)?, |w| pattern(w, mix))?;
        let job = JobSpec {
            name: words.read("name", pattern.word().to_owned(), name)?,
            pattern,
            bs: words.read("bs", 4096, bs)?,
            qd: words.read("qd", 32, |w| count(w, QD_MAX))?,
            jobs: words.read("jobs", 1, |w| count(w, JOBS_MAX))?,
            cores: words.read("cores", Vec::new(), cores)?,
            size: words.read("size", None, |w| size_above_zero(w).map(Some))?,
            rate: words.read("rate", None, |w| rate(w).map(Some))?,
            verify: words.read("verify", false, verify)?,
            zipf: words.read("zipf", None, |w| zipf(w).map(Some))?,
            fua: words.read("fua", false, truth)?,
        };
        job.check()
    }

    fn check(self) -> Result<JobSpec, WordError> {
        if !self.has_buffers() {
            let most = show_size(BUFFERS_MAX);
            let problem = format!("more than {most} of buffers for each thread");
            let word = format!("qd {} of bs {}", self.qd, show_size(u64::from(self.bs)));
            return Err(WordError::new(word, problem, "use a smaller qd or bs"));
        }
        if self.zipf.is_some() && self.pattern.sequential {
            let word = format!("zipf with rw {}", self.pattern.word());
            return Err(WordError::new(
                word,
                "a sequential job has no distribution",
                "use randread, randwrite or randrw",
            ));
        }
        let too_slow = self.rate.filter(|rate| rate.per_second < u64::from(self.jobs));
        if let Some(rate) = too_slow {
            let word = format!("rate {}", rate.word());
            return Err(WordError::new(
                word,
                format!(
                    "less than one per second for each of {} \
                threads",
                    self.jobs
                ),
                "use fewer jobs or a higher rate",
            ));
        }
        Ok(self)
    }
}

fn quoted(word: &str, problem: &str, remedy: impl Into<String>) -> WordError {
    WordError::new(format!("'{word}'"), problem, remedy)
}

/// Without `--mix`, a mixed job reads one half.
fn pattern(word: &str, mix: Option<u8>) -> Result<Pattern, WordError> {
    let mixed = mix.unwrap_or(50);
    let (sequential, read_percent) = match word {
        "read" => (true, 100),
        "write" => (true, 0),
        "rw" | "readwrite" => (true, mixed),
        "randread" => (false, 100),
        "randwrite" => (false, 0),
        "randrw" => (false, mixed),
        _ => {
            let remedy = "use read, write, rw, randread, randwrite or randrw";
            return Err(quoted(word, "not a workload", remedy));
        }
    };
    Ok(Pattern { sequential, read_percent })
}

/// `70`, or `70/30` where both shares are wanted to be seen.
fn percent(word: &str) -> Result<u8, WordError> {
    let (reads, writes) = word.split_once('/').map_or((word, None), |(r, w)| (r, Some(w)));
    let number = |w: &str| w.trim_end_matches('%').parse::<u8>().ok().filter(|n| *n <= 100);
    let sums = |r: u8| writes.is_none_or(|w| number(w).is_some_and(|w| r + w == 100));
    let remedy = "write the percentage of reads, such as 70 or 70/30";
    number(reads).filter(|r| sums(*r)).ok_or_else(|| quoted(word, "not a percentage", remedy))
}

fn bs(word: &str) -> Result<u32, WordError> {
    let most = show_size(u64::from(BS_MAX));
    let remedy = || format!("use 512 to {most}, such as 4k");
    match size(word)? {
        bytes if (1..=u64::from(BS_MAX)).contains(&bytes) => Ok(bytes as u32),
        0 => Err(quoted(word, "no bytes", remedy())),
        _ => Err(quoted(word, &format!("more than {most}"), remedy())),
    }
}

fn size_above_zero(word: &str) -> Result<u64, WordError> {
    let bytes = size(word)?;
    if bytes == 0 { Err(quoted(word, "no bytes", "use a size such as 1g")) } else { Ok(bytes) }
}

fn count(word: &str, max: u32) -> Result<u32, WordError> {
    let number = word.parse::<u32>().ok().filter(|n| (1..=max).contains(n));
    number.ok_or_else(|| {
        quoted(word, &format!("not a number from 1 to {max}"), format!("use at most {max}"))
    })
}

fn seed(word: &str) -> Result<u64, WordError> {
    word.parse().map_err(|_| quoted(word, "not a number", "use any number below 2 to the 64"))
}

fn api(word: &str) -> Result<Api, WordError> {
    let all = [Api::Poll, Api::Native, Api::Client];
    let found = all.into_iter().find(|api| api.word() == word);
    found.ok_or_else(|| quoted(word, "not an interface", "use poll, native or client"))
}

fn poll_mode(word: &str) -> Result<PollMode, WordError> {
    let remedy = "use never, adaptive or always";
    PollMode::from_name(word).ok_or_else(|| quoted(word, "not a poll mode", remedy))
}

fn verify(word: &str) -> Result<bool, WordError> {
    match word {
        "crc32c" => Ok(true),
        "none" => Ok(false),
        _ => Err(quoted(word, "not a way to verify", "use crc32c")),
    }
}

fn truth(word: &str) -> Result<bool, WordError> {
    word.parse().map_err(|_| quoted(word, "neither true nor false", "use true or false"))
}

fn zipf(word: &str) -> Result<f64, WordError> {
    let number = word.parse::<f64>().ok().filter(|n| *n > 0.0 && *n <= 10.0);
    number.ok_or_else(|| quoted(word, "not an exponent", "use one above 0, such as 1.1"))
}

/// A name goes into file formats with separators of their own.
fn name(word: &str) -> Result<String, WordError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if word.is_empty() || word.len() > 64 || !word.chars().all(fine) {
        let remedy = "use at most 64 letters, digits, '-', '_' or '.'";
        return Err(words::WordError::new(format!("'{word}'"), "not a name", remedy));
    }
    Ok(word.to_owned())
}

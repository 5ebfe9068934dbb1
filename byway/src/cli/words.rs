//! The options of a job, made from the bench's own table of keys, so that the command line and the
//! job file cannot drift apart.

use std::path::PathBuf;

use byway_bench::job::{JobWords, KEYS, RunSpec, job_file};
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

use super::failure::Failure;

/// The words that were given on the command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct WordArgs {
    pub(crate) given: Vec<(&'static str, String)>,
}

impl FromArgMatches for WordArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let word = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
        let given = KEYS.iter().filter_map(|key| Some((key.name, word(key.name)?))).collect();
        Ok(WordArgs { given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for WordArgs {
    fn augment_args(command: Command) -> Command {
        let arg = |key: &byway_bench::job::Key| {
            Arg::new(key.name)
                .long(key.name)
                .help(key.help)
                .value_name("WORD")
                .allow_hyphen_values(true)
        };
        command.args(KEYS.iter().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl WordArgs {
    /// The run that the words and the job file ask for. Words of the command line win.
    pub(crate) fn spec(&self, file: Option<&PathBuf>) -> Result<RunSpec, Failure> {
        let mut words = JobWords::default();
        for (key, word) in &self.given {
            words.set(key, word.clone())?;
        }
        let Some(path) = file else { return Ok(RunSpec::parse(&words, &[])?) };
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::failed(format!("{name}: {error}; name a job file that you may read"))
        })?;
        let in_file = |e: byway_bench::words::WordError| Failure::usage(format!("{name}: {e}"));
        let (run, jobs) = job_file(&text).map_err(in_file)?;
        let jobs: Vec<_> = jobs.into_iter().map(|job| words.clone().over(&job)).collect();
        RunSpec::parse(&words.over(&run), &jobs).map_err(in_file)
    }

    /// The words again, as arguments of another command line.
    pub(crate) fn as_args(&self) -> Vec<String> {
        self.given.iter().flat_map(|(key, word)| [format!("--{key}"), word.clone()]).collect()
    }
}

//! Job files: the words of the command line in TOML.
//!
//! Keys at the top hold for the whole run; each `[[job]]` table is a job of its own over them, and
//! all jobs run at the same time. Unknown keys are errors. A value is a string or a number.

use toml::{Table, Value};

use super::JOB_FILE_MAX;
use super::parse::JobWords;
use crate::words::WordError;

/// The words of a job file: those of the run, and those of each job.
pub fn job_file(text: &str) -> Result<(JobWords, Vec<JobWords>), WordError> {
    if text.len() > JOB_FILE_MAX {
        let problem = format!("longer than {JOB_FILE_MAX} bytes");
        return Err(WordError::new("job file", problem, "is it the right file?"));
    }
    let mut table: Table = text.parse().map_err(|e| not_toml(text, &e))?;
    let jobs = table.remove("job").map_or(Ok(Vec::new()), tables)?;
    let jobs = jobs.iter().map(job_words).collect::<Result<Vec<_>, _>>()?;
    Ok((table_words(&table)?, jobs))
}

fn not_toml(text: &str, error: &toml::de::Error) -> WordError {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1;
    let problem = error.message().lines().collect::<Vec<_>>().join(", ");
    WordError::new(format!("job file line {line}"), problem, "write lines such as: bs = \"4k\"")
}

fn tables(value: Value) -> Result<Vec<Table>, WordError> {
    let error = || WordError::new("'job'", "not a list of tables", "write [[job]] above each job");
    let Value::Array(list) = value else { return Err(error()) };
    list.into_iter().map(|v| v.try_into().map_err(|_| error())).collect()
}

fn job_words(table: &Table) -> Result<JobWords, WordError> {
    let words = table_words(table)?;
    match words.key_of_run() {
        Some(key) => Err(WordError::new(
            format!("'{key}'"),
            "holds for the whole run",
            "write it above the first [[job]]",
        )),
        None => Ok(words),
    }
}

fn table_words(table: &Table) -> Result<JobWords, WordError> {
    let mut words = JobWords::default();
    for (key, value) in table {
        words.set(key, word_of(key, value)?)?;
    }
    Ok(words)
}

fn word_of(key: &str, value: &Value) -> Result<String, WordError> {
    match value {
        Value::String(word) => Ok(word.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        other => {
            let problem = format!("a {} is no word", other.type_str());
            Err(WordError::new(format!("'{key}'"), problem, "write a string or a number"))
        }
    }
}

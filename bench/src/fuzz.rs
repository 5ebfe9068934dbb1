//! Doors for the fuzzer: every parser of text that comes from outside.

use crate::{compare, job, report, words};

/// Sizes, rates, spans, cores, ranges of rates and conditions.
pub fn size_words(data: &[u8]) {
    let Ok(word) = std::str::from_utf8(data) else { return };
    if let Ok(bytes) = words::size(word) {
        assert_eq!(words::size(&words::show_size(bytes)), Ok(bytes));
    }
    if let Ok(rate) = words::rate(word) {
        assert_eq!(words::rate(&rate.word()), Ok(rate));
    }
    let _ = (words::span_ns(word), words::cores(word), words::rate_range(word));
    let _ = compare::fail_if(word);
}

/// Job files, all the way to a run.
pub fn job_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok((run, jobs)) = job::job_file(text) {
        let _ = job::RunSpec::parse(&run, &jobs);
    }
}

/// Results, all the way to a comparison.
pub fn run_json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(run) = report::run_json("fuzz", text) {
        let again = report::run_json("again", &run.text());
        assert!(again.is_ok(), "what was written reads back");
        let _ = compare::compare(&run, &run).table();
    }
}

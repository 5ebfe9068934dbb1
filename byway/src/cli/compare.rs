//! `byway bench compare`.

use std::path::Path;

use byway_bench::compare::{compare, fail_if};
use byway_bench::report::{FioRun, run_json};

use super::args::CompareArgs;
use super::failure::Failure;
use super::output;

pub(crate) fn run(args: &CompareArgs) -> Result<(), Failure> {
    let conditions = args.fail_if.iter().map(|word| Ok((word, fail_if(word)?)));
    let conditions = conditions.collect::<Result<Vec<_>, Failure>>()?;
    let comparison = compare(&read(&args.first)?, &read(&args.second)?);
    output::print(&comparison.table())?;
    for (word, condition) in conditions {
        if let Some(row) = comparison.rows.iter().find(|row| condition.is_met_by(row)) {
            return Err(Failure::failed(format!(
                "--fail-if '{word}': {} {} {} changed by {:+.1} %; look for the cause, or raise \
                 the limit",
                row.job,
                row.direction,
                row.metric.word(),
                row.change_percent()
            )));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<FioRun, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::failed(format!("{name}: {error}; name a file that bench run --json has written"))
    })?;
    run_json(&name, &text).map_err(|error| Failure::failed(error.to_string()))
}

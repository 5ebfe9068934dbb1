//! `cargo xtask test`: the test command of the README.

use crate::exec::{self, Outcome, Skipped};
use crate::peers;
use crate::steps::{Step, TESTS};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these steps; `list` names them
    #[arg(value_name = "STEP")]
    only: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    if args.only.iter().any(|name| name == "list") {
        TESTS.iter().for_each(|step| println!("{:14}{}", step.name, step.what));
        return Ok(());
    }
    let steps = chosen(&args.only)?;
    peers::run()?;
    let skipped = exec::run_steps(steps)?;
    report(&skipped);
    Ok(())
}

/// Says at the end what did not run, where it is not lost among the output of the tests.
pub(crate) fn report(skipped: &Skipped) {
    for (name, reason) in skipped {
        println!("not tested: {name}: {reason}");
    }
    println!("all steps passed, {} skipped", skipped.len());
}

fn chosen(only: &[String]) -> Outcome<Vec<&'static Step>> {
    if only.is_empty() {
        return Ok(TESTS.iter().collect());
    }
    let find = |name: &String| {
        let step = TESTS.iter().find(|step| step.name == name);
        step.ok_or_else(|| format!("no step is named {name}: `cargo xtask test list` names them"))
    };
    only.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_means_all_and_a_wrong_name_is_refused() {
        assert_eq!(chosen(&[]).unwrap().len(), TESTS.len());
        assert_eq!(chosen(&["loom".into()]).unwrap()[0].name, "loom");
        assert!(chosen(&["lom".into()]).err().unwrap().contains("no step is named lom"));
    }
}

//! Running other programs: where the repository is, what a program printed, and how a list of
//! steps is run with a name and a time for each.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::packages::Need;
use crate::steps::{Action, Cmd, Step};

/// What went wrong, as one line for the person at the terminal.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The folder with the workspace manifest.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies inside the workspace")
}

/// The folder cargo builds into; variants with other flags get folders below it.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// A program to be started in the workspace root, without a terminal to ask questions on.
pub(crate) fn program(name: &str) -> Command {
    let cargo = std::env::var_os("CARGO").filter(|_| name == "cargo");
    let mut command = Command::new(cargo.unwrap_or_else(|| name.into()));
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs to the end with output passed through; a failing exit status is an error.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|e| cannot_start(command, &e))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", spelled(command))) }
}

/// Runs to the end and returns standard output; standard error is passed through.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    command.stderr(Stdio::inherit());
    let out = command.output().map_err(|e| cannot_start(command, &e))?;
    if !out.status.success() {
        return Err(format!("{} ended with {}", spelled(command), out.status));
    }
    String::from_utf8(out.stdout).map_err(|_| format!("{} did not print UTF-8", spelled(command)))
}

/// Runs a test command, passes its output through, and returns how many tests passed: a filter that
/// matches nothing also ends with success, and must not be taken for a pass.
pub(crate) fn run_counting_tests(command: &mut Command) -> Outcome<u64> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().map_err(|e| cannot_start(command, &e))?;
    let stdout = child.stdout.take().expect("standard output is piped");
    let mut passed = 0;
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(|e| format!("reading from {}: {e}", spelled(command)))?;
        println!("{line}");
        passed += passed_in(&line);
    }
    let status = child.wait().map_err(|e| cannot_start(command, &e))?;
    if status.success() {
        Ok(passed)
    } else {
        Err(format!("{} ended with {status}", spelled(command)))
    }
}

/// The count in `test result: ok. 7 passed; 0 failed; …`, and 0 for any other line.
fn passed_in(line: &str) -> u64 {
    let Some(rest) = line.strip_prefix("test result: ok. ") else {
        return 0;
    };
    rest.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Builds with cargo and returns the executable of the target that has this kind and name.
pub(crate) fn executable(build: &mut Command, kind: &str, name: &str) -> Outcome<PathBuf> {
    let messages = output(build.arg("--message-format=json-render-diagnostics"))?;
    let is_it = |message: &serde_json::Value| {
        let target = &message["target"];
        let kinds = target["kind"].as_array();
        target["name"] == name && kinds.is_some_and(|kinds| kinds.iter().any(|k| k == kind))
    };
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(is_it)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| format!("{} built no {kind} named {name}", spelled(build)))
}

/// How the list ended: names of the steps that were skipped, each with the reason.
pub(crate) type Skipped = Vec<(&'static str, String)>;

/// Runs the steps in order and stops at the first failure.
pub(crate) fn run_steps<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Outcome<Skipped> {
    let mut skipped = Skipped::new();
    for step in steps {
        if let Some(reason) = step.needs.iter().find_map(Need::missing) {
            println!("== {}: skipped: {reason}", step.name);
            skipped.push((step.name, reason));
            continue;
        }
        println!("== {}: {}", step.name, step.what);
        let started = Instant::now();
        let outcome = run_step(step);
        let seconds = started.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => println!("== {}: ok in {seconds:.1} s", step.name),
            Err(failure) => {
                return Err(format!("{} failed after {seconds:.1} s: {failure}", step.name));
            }
        }
    }
    Ok(skipped)
}

fn run_step(step: &Step) -> Outcome {
    match step.action {
        Action::Own(function) => function(),
        Action::Commands(commands) => commands.iter().try_for_each(|cmd| run(&mut command(cmd))),
        Action::Tests(commands) => commands.iter().try_for_each(run_tests),
    }
}

fn run_tests(cmd: &Cmd) -> Outcome {
    let mut command = command(cmd);
    match run_counting_tests(&mut command)? {
        0 => {
            Err(format!("{} ran no test: its filter or target matches nothing", spelled(&command)))
        }
        _ => Ok(()),
    }
}

/// A line of the table made ready to run; `{target}` stands for the build folder.
fn command(cmd: &Cmd) -> Command {
    let target = target_dir().display().to_string();
    let mut words = cmd.line.split_whitespace();
    let mut command = program(words.next().expect("a command has a program"));
    command.args(words.map(|word| word.replace("{target}", &target)));
    command.envs(cmd.env.iter().copied());
    command
}

fn spelled(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|w| w.to_string_lossy().into_owned()).collect();
    format!("`{}`", words.join(" "))
}

fn cannot_start(command: &Command, error: &std::io::Error) -> String {
    format!("{} cannot be run: {error}", spelled(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_counted_from_cargos_summary() {
        assert_eq!(passed_in("test result: ok. 7 passed; 0 failed; 0 ignored"), 7);
        assert_eq!(passed_in("test result: FAILED. 7 passed; 1 failed"), 0);
        assert_eq!(passed_in("running 7 tests"), 0);
    }

    #[test]
    fn a_failing_program_is_an_error_that_spells_the_command() {
        let failure = run(program("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(failure.contains("`sh -c exit 3` ended with exit status: 3"), "{failure}");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let failure = output(&mut program("no-such-program-here")).unwrap_err();
        assert!(failure.contains("cannot be run"), "{failure}");
    }

    #[test]
    fn a_step_whose_filter_matches_nothing_fails() {
        let silent = Step {
            name: "silent",
            what: "prints an empty summary",
            needs: &[],
            action: Action::Tests(&[Cmd {
                env: &[],
                line: "echo test result: ok. 0 passed; 0 failed",
            }]),
        };
        let failure = run_steps([&silent]).unwrap_err();
        assert!(failure.contains("ran no test"), "{failure}");
    }

    #[test]
    fn a_step_whose_need_is_missing_is_skipped_with_the_reason() {
        let step = Step {
            name: "needy",
            what: "needs a program that does not exist",
            needs: &[Need::Program("no-such-program-here")],
            action: Action::Commands(&[Cmd { env: &[], line: "false" }]),
        };
        let skipped = run_steps([&step]).unwrap();
        assert_eq!(skipped.len(), 1);
        assert!(skipped[0].1.contains("no-such-program-here"));
    }

    #[test]
    fn the_first_failure_ends_the_list() {
        let fails = Step {
            name: "fails",
            what: "",
            needs: &[],
            action: Action::Commands(&[Cmd { env: &[], line: "false" }]),
        };
        let unreachable = Step {
            name: "after",
            what: "",
            needs: &[],
            action: Action::Own(|| panic!("a step ran after a failure")),
        };
        assert!(run_steps([&fails, &unreachable]).unwrap_err().starts_with("fails failed after"));
    }
}

//! The binary: what it prints, and how it ends.

use std::process::{Command, Output};

fn byway_sim(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_byway-sim"));
    command.args(args).output().expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_clean_range_ends_with_a_summary_and_nothing_else() {
    let output = byway_sim(&["--seed", "1..3"]);
    let stdout = text(&output.stdout);
    assert!(stdout.starts_with("12 passed, 0 failed, "), "{stdout}");
    assert!(stdout.ends_with(" h of simulated time\n") && stdout.lines().count() == 1, "{stdout}");
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
}

#[test]
fn a_failure_is_the_command_that_repeats_it_and_the_end_is_one() {
    let args = ["--seed", "1..5", "--mutate", "flush-ignored"];
    let output = byway_sim(&args);
    let stdout = text(&output.stdout);
    let failure = stdout.lines().next().unwrap_or_default();
    assert!(failure.starts_with("cargo xtask sim --seed "), "{stdout}");
    assert!(failure.contains("# crash: "), "{stdout}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_trace_is_the_same_twice() {
    let args = ["--seed", "2", "--scenario", "network", "--trace"];
    let (first, second) = (byway_sim(&args), byway_sim(&args));
    assert!(first.stdout == second.stdout && first.stdout.len() > 1000);
}

#[test]
fn a_wrong_argument_is_named_with_the_remedy() {
    for (args, remedy) in [
        ("--seed x --scenario crash", "write 7"),
        ("--seed 1 --scenario peace", "crash or network or iscsi or nbd"),
        ("--seed 1 --mutate all", "flush-ignored"),
        ("--seed 1 --scenario network --mutate flush-early", "use --scenario crash"),
    ] {
        let output = byway_sim(&args.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(remedy), "{}", text(&output.stderr));
    }
}

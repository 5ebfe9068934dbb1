//! Puts the commit of the build into the program, or `unknown` where there is no repository.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=BYWAY_GIT_HASH");
    let given = std::env::var("BYWAY_GIT_HASH").ok();
    let hash = given.or_else(commit).unwrap_or_else(|| "unknown".into());
    println!("cargo::rustc-env=BYWAY_GIT_HASH={hash}");
}

/// The commit that is checked out, if this is this repository and git is there.
fn commit() -> Option<String> {
    let path = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    let hash = git(&["rev-parse", "--short=12", "HEAD"])?;
    // Every commit and checkout adds a line to this file.
    println!("cargo::rerun-if-changed={path}");
    Some(hash)
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|o| o.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

//! `cargo xtask tidy`: the house rules, as a ratchet.
//!
//! Each rule is a file below `tidy/`, reads text and returns findings. [`ratchet`] compares them
//! with the counts in `xtask/tidy.toml`: only what newly crosses a line fails. The rules also run
//! as a test, so that `cargo test` alone keeps them.

use std::path::Path;

use crate::exec::{self, Outcome};
use config::Config;
use ratchet::Verdict;
use tree::Tree;

mod arrows;
mod calls;
mod config;
mod length;
mod links;
mod map;
mod ratchet;
mod source;
mod tree;
mod unsafety;
mod words;

/// One place where a rule is broken.
#[derive(Debug, PartialEq)]
struct Finding {
    rule: &'static str,
    path: String,
    /// The line, or 0 where the whole file is meant.
    line: usize,
    /// What the ratchet adds up for this rule and file: a length, or 1.
    amount: u64,
    what: String,
}

impl Finding {
    fn at(rule: &'static str, path: &str, line: usize, what: impl Into<String>) -> Self {
        Finding { rule, path: path.to_owned(), line, amount: 1, what: what.into() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}: {}", self.path, self.rule, self.what),
            line => write!(f, "{}:{line}: {}: {}", self.path, self.rule, self.what),
        }
    }
}

pub(crate) fn run() -> Outcome {
    let verdict = check(exec::root())?;
    for lowered in &verdict.lowered {
        println!("{lowered}");
    }
    if verdict.failures.is_empty() {
        println!("{} files follow the house rules", verdict.files);
        return Ok(());
    }
    for failure in &verdict.failures {
        println!("{failure}");
    }
    Err(format!("{} house rules are newly broken", verdict.failures.len()))
}

fn check(root: &Path) -> Outcome<Verdict> {
    let config = Config::read(root)?;
    let tree = Tree::read(root)?;
    let mut findings = Vec::new();
    findings.extend(length::check(&tree));
    findings.extend(calls::check(&tree, &config));
    findings.extend(arrows::check(&tree));
    findings.extend(unsafety::check(&tree, &config));
    findings.extend(words::check(&tree, &config));
    findings.extend(links::check(&tree));
    findings.extend(map::check(&tree));
    Ok(ratchet::judge(findings, &config, tree.sources.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_follows_the_house_rules() {
        let verdict = check(exec::root()).unwrap();
        assert!(verdict.files > 20, "the walk over the tree found too little");
        assert!(verdict.failures.is_empty(), "{:#?}", verdict.failures);
    }
}

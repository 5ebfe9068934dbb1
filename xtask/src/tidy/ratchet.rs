//! The ratchet: known violations may stay, new ones fail, and a count that fell is to be lowered.

use std::collections::BTreeMap;

use super::Finding;
use super::config::{Config, PATH};

pub(super) struct Verdict {
    pub(super) failures: Vec<String>,
    /// What to change in the configuration, because less is broken than it allows.
    pub(super) lowered: Vec<String>,
    /// How many Rust files were read.
    pub(super) files: usize,
}

/// Compares findings with what is known, by rule and file.
pub(super) fn judge(findings: Vec<Finding>, config: &Config, files: usize) -> Verdict {
    let mut by_place: BTreeMap<(&str, &str), Vec<&Finding>> = BTreeMap::new();
    for finding in &findings {
        by_place.entry((finding.rule, &finding.path)).or_default().push(finding);
    }
    let mut failures = Vec::new();
    for ((rule, path), found) in &by_place {
        let known = known(config, rule, path);
        let amount: u64 = found.iter().map(|finding| finding.amount).sum();
        if amount > known {
            failures.extend(found.iter().map(ToString::to_string));
            failures.extend((known > 0).then(|| format!("    ({known} of {rule} were known)")));
        }
    }
    let amount = |rule: &str, path: &str| -> u64 {
        by_place.get(&(rule, path)).into_iter().flatten().map(|finding| finding.amount).sum()
    };
    Verdict { failures, lowered: lowered(config, amount), files }
}

fn known(config: &Config, rule: &str, path: &str) -> u64 {
    config.known.get(rule).and_then(|paths| paths.get(path)).copied().unwrap_or(0)
}

fn lowered(config: &Config, amount: impl Fn(&str, &str) -> u64) -> Vec<String> {
    let entries = config
        .known
        .iter()
        .flat_map(|(rule, paths)| paths.iter().map(move |(path, known)| (rule, path, *known)));
    let fell = entries.filter_map(|(rule, path, known)| match amount(rule, path) {
        0 => Some(format!("{PATH}: take \"{path}\" out of [known.{rule}]: it is mended")),
        now if now < known => {
            Some(format!("{PATH}: lower \"{path}\" in [known.{rule}] from {known} to {now}"))
        }
        _ => None,
    });
    fell.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let paths = BTreeMap::from([("a.rs".to_owned(), 2)]);
        Config { known: BTreeMap::from([("r".to_owned(), paths)]), ..Config::default() }
    }

    fn findings(count: usize) -> Vec<Finding> {
        (1..=count).map(|line| Finding::at("r", "a.rs", line, "broken")).collect()
    }

    #[test]
    fn what_is_known_passes_and_one_more_fails() {
        assert!(judge(findings(2), &config(), 0).failures.is_empty());
        let failures = judge(findings(3), &config(), 0).failures;
        assert_eq!(failures.len(), 4);
        assert_eq!(failures[0], "a.rs:1: r: broken");
    }

    #[test]
    fn another_file_is_not_covered() {
        let other = vec![Finding::at("r", "b.rs", 0, "broken")];
        assert_eq!(judge(other, &config(), 0).failures, ["b.rs: r: broken"]);
    }

    #[test]
    fn a_count_that_fell_is_to_be_lowered() {
        assert!(judge(findings(2), &config(), 0).lowered.is_empty());
        assert!(judge(findings(1), &config(), 0).lowered[0].contains("from 2 to 1"));
        assert!(judge(findings(0), &config(), 0).lowered[0].contains("take \"a.rs\" out"));
    }
}

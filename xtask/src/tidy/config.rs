//! `xtask/tidy.toml`: the addresses where a rule is lifted, and what is known to break one.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::exec::Outcome;

/// The path of the file, from the root.
pub(super) const PATH: &str = "xtask/tidy.toml";

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Config {
    /// The only files that may contain the keyword `unsafe`.
    pub(super) unsafe_files: Vec<String>,
    /// Files or folders that may read clocks and start threads.
    pub(super) clocks_and_threads: Vec<String>,
    /// Files that may use hash maps and hash sets.
    pub(super) hash_maps: Vec<String>,
    pub(super) words: Words,
    /// Known violations: rule, then path, then count.
    #[serde(default)]
    pub(super) known: BTreeMap<String, BTreeMap<String, u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Words {
    /// Whole words or phrases that appear nowhere.
    pub(super) banned: Vec<String>,
    /// Files that have to spell them.
    pub(super) exempt: Vec<String>,
}

impl Config {
    pub(super) fn read(root: &Path) -> Outcome<Config> {
        let text = std::fs::read_to_string(root.join(PATH)).map_err(|e| format!("{PATH}: {e}"))?;
        toml::from_str(&text).map_err(|e| format!("{PATH}: {e}"))
    }
}

/// Whether a list of files and folders covers a path.
pub(super) fn covers(list: &[String], path: &str) -> bool {
    list.iter().any(|entry| match entry.strip_suffix('/') {
        Some(folder) => path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')),
        None => entry == path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_covers_what_lies_in_it_and_a_file_itself() {
        let list = ["engine/".to_owned(), "byway/src/clock.rs".to_owned()];
        assert!(covers(&list, "engine/src/time.rs"));
        assert!(covers(&list, "byway/src/clock.rs"));
        assert!(!covers(&list, "byway/src/main.rs"));
        assert!(!covers(&list, "engineering/src/main.rs"));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(toml::from_str::<Config>("unsafe-file = []").is_err());
    }
}

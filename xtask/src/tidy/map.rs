//! ARCHITECTURE.md names every source file, and every file it names is there.
//!
//! A line of the map starts with a folder and goes on with files of it: `fs/src/  lib.rs a.rs: what`.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

/// The path of the map.
pub(super) const MAP: &str = "ARCHITECTURE.md";
const RULE: &str = "map";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(MAP) else {
        return vec![Finding::at(RULE, MAP, 0, "there is no map")];
    };
    let named: BTreeSet<String> = text.lines().flat_map(named_in).collect();
    let there: BTreeSet<String> = tree.sources.iter().map(|source| source.path.clone()).collect();
    let missing = there.difference(&named).map(|path| format!("{path} is not named"));
    let stale = named.difference(&there).map(|path| format!("{path} is named and not there"));
    missing.chain(stale).map(|what| Finding::at(RULE, MAP, 0, what)).collect()
}

/// The files named on one line of the map; none on any other line.
fn named_in(line: &str) -> Vec<String> {
    let mut words = line.split_whitespace().map(|word| word.trim_matches([':', ',', ';', '`']));
    let Some(folder) = words.next().filter(|word| word.ends_with('/')) else {
        return Vec::new();
    };
    words.filter(|word| word.ends_with(".rs")).map(|word| format!("{folder}{word}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(map: &str) -> Vec<String> {
        let tree = Tree::of(&[(MAP, map), ("fs/src/lib.rs", ""), ("fs/src/a.rs", "")]);
        check(&tree).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_true_map_passes() {
        assert!(whats("# Map\n    fs/src/   lib.rs a.rs: files\n").is_empty());
        assert!(whats("    fs/src/  lib.rs: the room\n    fs/src/  a.rs: extents\n").is_empty());
    }

    #[test]
    fn missing_and_stale_files_are_named() {
        assert_eq!(whats("fs/src/  lib.rs: files\n"), ["fs/src/a.rs is not named"]);
        let stale = whats("fs/src/  lib.rs a.rs b.rs: files\n");
        assert_eq!(stale, ["fs/src/b.rs is named and not there"]);
    }

    #[test]
    fn a_repository_without_a_map_is_found() {
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}

//! ARCHITECTURE.md names every source file, and every file it names is there. Rooms of many files
//! have a map of their own, `ROOM/ARCHITECTURE.md`.
//!
//! A line of a map starts with a folder and goes on with files of it: `fs/src/  lib.rs a.rs: what`.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;

/// The path of the map.
pub(super) const MAP: &str = "ARCHITECTURE.md";
const RULE: &str = "map";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    if tree.text(MAP).is_none() {
        return vec![Finding::at(RULE, MAP, 0, "there is no map")];
    }
    let lines = maps(tree).flat_map(|(_, text)| text.lines());
    let named: BTreeSet<String> = lines.flat_map(named_in).collect();
    let there: BTreeSet<String> = tree.sources.iter().map(|source| source.path.clone()).collect();
    let missing = there.difference(&named).map(|path| format!("{path} is not named"));
    let stale = named.difference(&there).map(|path| format!("{path} is named and not there"));
    missing.chain(stale).map(|what| Finding::at(RULE, MAP, 0, what)).collect()
}

/// The maps of the repository: path and text.
pub(super) fn maps(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    let is_map = |path: &str| path == MAP || path.ends_with("/ARCHITECTURE.md");
    let all = tree.texts.iter().map(|file| (file.path.as_str(), file.text.as_str()));
    all.filter(move |(path, _)| is_map(path))
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
    fn a_room_may_have_a_map_of_its_own() {
        let maps =
            [(MAP, "    fs/  see its map\n"), ("fs/ARCHITECTURE.md", "    fs/src/  a.rs: files\n")];
        let tree = Tree::of(&[maps[0], maps[1], ("fs/src/a.rs", "")]);
        assert!(check(&tree).is_empty());
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

//! Unsafe has addresses: only the files listed in the configuration contain it, they lie in the
//! three rooms that need it, and every other crate forbids it.

use super::Finding;
use super::config::{Config, PATH};
use super::source::Source;
use super::tree::Tree;

const RULE: &str = "unsafe-address";
/// The rooms that may have files with unsafe code.
const ROOMS: [&str; 3] = ["engine", "nvme", "bench/ceilings"];

pub(super) fn check(tree: &Tree, config: &Config) -> Vec<Finding> {
    let listed = &config.unsafe_files;
    let mut findings: Vec<_> = listed.iter().filter_map(|path| wrong_address(tree, path)).collect();
    for source in &tree.sources {
        let is_listed = listed.contains(&source.path);
        findings.extend(source.lines_with("unsafe").into_iter().filter(|_| !is_listed).map(
            |line| Finding::at(RULE, &source.path, line, "this file has no address for unsafe"),
        ));
        findings.extend(unguarded_root(source));
    }
    findings
}

/// An address that is stale, or lies in a room that may not have one.
fn wrong_address(tree: &Tree, path: &str) -> Option<Finding> {
    let source = tree.sources.iter().find(|source| source.path == path);
    let has_unsafe = source.is_some_and(|source| !source.lines_with("unsafe").is_empty());
    let is_allowed = ROOMS.contains(&super::arrows::room_of(path));
    match (has_unsafe, is_allowed) {
        (true, true) => None,
        (false, _) => Some(Finding::at(RULE, PATH, 0, format!("{path} has no unsafe code"))),
        (_, false) => Some(Finding::at(RULE, PATH, 0, format!("{path} is in a safe room"))),
    }
}

fn unguarded_root(source: &Source) -> Option<Finding> {
    let is_root = source.path.ends_with("/src/lib.rs") || source.path.ends_with("/src/main.rs");
    let is_guarded = source.code.contains("#![forbid(unsafe_code)]");
    let what = "a crate root outside the unsafe rooms starts with `#![forbid(unsafe_code)]`";
    (is_root && !is_guarded && !ROOMS.contains(&source.room()))
        .then(|| Finding::at(RULE, &source.path, 1, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(listed: &[&str], files: &[(&str, &str)]) -> Vec<String> {
        let unsafe_files = listed.iter().map(ToString::to_string).collect();
        let config = Config { unsafe_files, ..Config::default() };
        check(&Tree::of(files), &config).into_iter().map(|finding| finding.what).collect()
    }

    const UNSAFE: &str = "fn f() { unsafe { g() } }\n";

    #[test]
    fn unsafe_needs_an_address_even_in_tests() {
        assert_eq!(whats(&[], &[("engine/src/a.rs", UNSAFE)]).len(), 1);
        assert_eq!(whats(&[], &[("engine/tests/a.rs", UNSAFE)]).len(), 1);
        assert!(whats(&["engine/src/a.rs"], &[("engine/src/a.rs", UNSAFE)]).is_empty());
        assert!(whats(&[], &[("engine/src/a.rs", "// unsafe is not used\n")]).is_empty());
    }

    #[test]
    fn a_stale_address_and_one_in_a_safe_room_are_found() {
        let stale = whats(&["engine/src/a.rs"], &[("engine/src/a.rs", "fn f() {}\n")]);
        assert_eq!(stale, ["engine/src/a.rs has no unsafe code"]);
        let safe = whats(&["fs/src/a.rs"], &[("fs/src/a.rs", UNSAFE)]);
        assert_eq!(safe, ["fs/src/a.rs is in a safe room"]);
    }

    #[test]
    fn a_safe_room_forbids_it_at_its_root() {
        assert_eq!(whats(&[], &[("fs/src/lib.rs", "//! Files.\n")]).len(), 1);
        assert!(whats(&[], &[("fs/src/lib.rs", "#![forbid(unsafe_code)]\n")]).is_empty());
        assert!(whats(&[], &[("engine/src/lib.rs", "//! World.\n")]).is_empty());
    }
}

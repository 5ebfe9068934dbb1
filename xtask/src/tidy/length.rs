//! Lengths: files, functions, headers, examples, the ceilings, the map.

use super::Finding;
use super::source::Source;
use super::tree::Tree;

/// Lines of a file, without tests.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function, from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// Half of a room's functions are shorter than this.
const FUNCTION_LINES_HALF: usize = 12;
/// A room with fewer functions is not judged by its half.
const FUNCTIONS_JUDGED_MIN: usize = 20;
/// Lines of the `//!` header.
const HEADER_LINES_MAX: usize = 15;
/// Lines of an example of the library.
const EXAMPLE_LINES_MAX: usize = 80;
/// A program for callgrind, which cargo builds as an example.
const GATES: &str = "engine/examples/instruction_gates.rs";
/// Lines of a program that claims to be the smallest possible.
const CEILING_LINES_MAX: usize = 150;
/// Lines of the map.
const MAP_LINES_MAX: usize = 250;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<_> = tree.sources.iter().flat_map(source_findings).collect();
    findings.extend(long_maps(tree));
    findings.extend(long_halves(tree));
    findings
}

fn source_findings(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(too_long(source));
    findings.extend(header(source));
    findings.extend(source.functions().into_iter().filter_map(|function| {
        let what = format!("{} has {} lines", function.name, function.lines);
        let is_long = function.lines > FUNCTION_LINES_MAX;
        let at = (source.path.as_str(), function.first_line);
        is_long.then(|| Finding::at("function-length", at.0, at.1, what))
    }));
    findings
}

fn too_long(source: &Source) -> Option<Finding> {
    let all = source.text.lines().count();
    let (rule, lines, max) = if source.is_example() && source.path != GATES {
        ("example-length", all, EXAMPLE_LINES_MAX)
    } else if source.room() == "bench/ceilings" {
        ("ceiling-length", all, CEILING_LINES_MAX)
    } else {
        ("file-length", source.lines_without_tests(), FILE_LINES_MAX)
    };
    let what = format!("{lines} lines, at most {max}");
    let finding = Finding::at(rule, &source.path, 0, what);
    (lines > max).then_some(Finding { amount: lines as u64, ..finding })
}

fn header(source: &Source) -> Option<Finding> {
    let lines = source.text.lines().take_while(|line| line.starts_with("//!")).count();
    let what = match lines {
        0 => "no `//!` header says what this file is".to_owned(),
        lines => format!("{lines} lines of header, at most {HEADER_LINES_MAX}"),
    };
    let is_wrong = lines > HEADER_LINES_MAX || (lines == 0 && !source.is_test);
    is_wrong.then(|| Finding::at("header", &source.path, 1, what))
}

fn long_maps(tree: &Tree) -> Vec<Finding> {
    let lengths = super::map::maps(tree).map(|(path, text)| (path, text.lines().count()));
    let long = lengths.filter(|(_, lines)| *lines > MAP_LINES_MAX);
    let what = |lines| format!("{lines} lines, at most {MAP_LINES_MAX}");
    long.map(|(path, lines)| Finding::at("map-length", path, 0, what(lines))).collect()
}

fn long_halves(tree: &Tree) -> Vec<Finding> {
    let mut rooms: Vec<&str> = tree.sources.iter().map(Source::room).collect();
    rooms.dedup();
    rooms.into_iter().filter_map(|room| long_half(tree, room)).collect()
}

fn long_half(tree: &Tree, room: &str) -> Option<Finding> {
    let sources = tree.sources.iter().filter(|source| source.room() == room && !source.is_test);
    let lengths: Vec<_> = sources.flat_map(Source::functions).map(|f| f.lines).collect();
    let short = lengths.iter().filter(|lines| **lines < FUNCTION_LINES_HALF).count();
    let is_wrong = lengths.len() >= FUNCTIONS_JUDGED_MIN && short * 2 < lengths.len();
    let what = format!(
        "{short} of {} functions are below {FUNCTION_LINES_HALF} lines, at least half should be",
        lengths.len()
    );
    is_wrong.then(|| Finding::at("function-half", room, 0, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(files: &[(&str, &str)]) -> Vec<&'static str> {
        check(&Tree::of(files)).into_iter().map(|finding| finding.rule).collect()
    }

    fn file(lines: usize) -> String {
        format!("//! Sample.\n{}", "const A: u8 = 0;\n".repeat(lines - 1))
    }

    #[test]
    fn a_file_may_have_500_lines_without_tests() {
        assert!(rules(&[("fs/src/a.rs", &file(500))]).is_empty());
        assert_eq!(rules(&[("fs/src/a.rs", &file(501))]), ["file-length"]);
        let with_tests =
            format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", file(400), "// t\n".repeat(400));
        assert!(rules(&[("fs/src/a.rs", &with_tests)]).is_empty());
        assert!(rules(&[("fs/tests/a.rs", &file(900))]).is_empty());
    }

    #[test]
    fn a_function_may_have_70_lines() {
        let of = |lines: usize| {
            format!("//! Sample.\nfn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2))
        };
        assert!(rules(&[("fs/src/a.rs", &of(70))]).is_empty());
        assert_eq!(rules(&[("fs/src/a.rs", &of(71))]), ["function-length"]);
    }

    #[test]
    fn half_of_the_functions_of_a_room_are_short() {
        let of = |count: usize, lines: usize| {
            format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines - 2)).repeat(count)
        };
        let fine = format!("//! Sample.\n{}{}", of(10, 11), of(10, 12));
        let wrong = format!("//! Sample.\n{}{}", of(9, 11), of(11, 12));
        assert!(rules(&[("fs/src/a.rs", &fine)]).is_empty());
        assert_eq!(rules(&[("fs/src/a.rs", &wrong)]), ["function-half"]);
    }

    #[test]
    fn a_header_has_1_to_15_lines() {
        assert!(rules(&[("fs/src/a.rs", &"//! h\n".repeat(15))]).is_empty());
        assert_eq!(rules(&[("fs/src/a.rs", &"//! h\n".repeat(16))]), ["header"]);
        assert_eq!(rules(&[("fs/src/a.rs", "fn f() {}\n")]), ["header"]);
        assert!(rules(&[("fs/src/a/tests.rs", "fn f() {}\n")]).is_empty());
    }

    #[test]
    fn examples_ceilings_and_the_map_have_their_own_limits() {
        assert_eq!(rules(&[("engine/examples/a.rs", &file(81))]), ["example-length"]);
        assert_eq!(rules(&[("bench/ceilings/a.rs", &file(151))]), ["ceiling-length"]);
        assert_eq!(rules(&[("ARCHITECTURE.md", &"line\n".repeat(251))]), ["map-length"]);
        assert!(rules(&[("engine/examples/a.rs", &file(80))]).is_empty());
        assert!(rules(&[(GATES, &file(200))]).is_empty());
        assert!(rules(&[("bench/ceilings/a.rs", &file(150))]).is_empty());
    }
}

//! Arrows between rooms, as the manifests have them, against the table of ARCHITECTURE.md.
//!
//! Development dependencies count: a test that needs two rooms of one floor lies in a room above.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::Finding;
use super::tree::{Text, Tree};

const FLOOR_1: &[&str] = &["engine", "proto"];
const BELOW_BENCH: &[&str] = &["engine", "proto", "bench/ceilings"];
const BELOW_SIM: &[&str] = &["engine", "proto", "nvme", "iscsi-initiator", "fs", "export", "bench"];
const BELOW_BYWAY: &[&str] = &[
    "engine",
    "proto",
    "nvme",
    "iscsi-initiator",
    "fs",
    "export",
    "bench",
    "bench/ceilings",
    "tuning",
];
const FUZZED: &[&str] =
    &["engine", "proto", "nvme", "iscsi-initiator", "fs", "export", "bench", "byway"];

/// The rooms that a room may name, or `None` for a folder that is no room.
fn may_name(room: &str) -> Option<&'static [&'static str]> {
    Some(match room {
        "engine" | "proto" | "tuning" | "xtask" | "bench/ceilings" => &[],
        "nvme" | "iscsi-initiator" | "fs" | "export" => FLOOR_1,
        "bench" => BELOW_BENCH,
        "byway" => BELOW_BYWAY,
        "sim" => BELOW_SIM,
        "fuzz" => FUZZED,
        _ => return None,
    })
}

/// The room in which a path lies.
pub(super) fn room_of(path: &str) -> &str {
    match path.strip_prefix("bench/ceilings/") {
        Some(_) => "bench/ceilings",
        None => path.split('/').next().unwrap_or_default(),
    }
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let manifests = || tree.texts.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    let mut findings = Vec::new();
    let mut rooms = BTreeMap::new();
    let mut parsed = Vec::new();
    for file in manifests() {
        match file.text.parse::<Table>() {
            Ok(manifest) => {
                rooms.extend(package_name(&manifest).map(|name| (name, room_of(&file.path))));
                parsed.push((file, manifest));
            }
            Err(e) => findings.push(finding(file, e.message())),
        }
    }
    findings.extend(parsed.iter().flat_map(|(file, manifest)| arrows(file, manifest, &rooms)));
    findings
}

fn package_name(manifest: &Table) -> Option<String> {
    Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())
}

fn arrows(file: &Text, manifest: &Table, rooms: &BTreeMap<String, &str>) -> Vec<Finding> {
    let from = room_of(&file.path);
    let Some(allowed) = may_name(from) else {
        return vec![finding(file, &format!("{from} is not a room of the table"))];
    };
    let to = dependencies(manifest).into_iter().filter_map(|name| rooms.get(&name).copied());
    let wrong = to.filter(|to| *to != from && !allowed.contains(to));
    wrong.map(|to| finding(file, &format!("{from} may not name {to}"))).collect()
}

/// The package names in every table of dependencies, for all targets.
fn dependencies(manifest: &Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let platforms = targets.filter_map(|(_, platform)| platform.as_table());
    let tables = std::iter::once(manifest).chain(platforms).flatten();
    let tables = tables.filter(|(key, _)| key.ends_with("dependencies"));
    let entries = tables.filter_map(|(_, table)| table.as_table()).flatten();
    entries.map(|(key, value)| renamed(value).unwrap_or(key).to_owned()).collect()
}

fn renamed(dependency: &Value) -> Option<&str> {
    dependency.get("package")?.as_str()
}

fn finding(file: &Text, what: &str) -> Finding {
    Finding::at("arrow", &file.path, 0, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(extra: &[(&str, &str)]) -> Vec<String> {
        let mut files = vec![
            ("engine/Cargo.toml", "[package]\nname = \"byway-engine\"\n"),
            ("nvme/Cargo.toml", "[package]\nname = \"byway-nvme\"\n"),
        ];
        files.extend(extra);
        check(&Tree::of(&files)).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn down_is_allowed_and_foreign_crates_do_not_count() {
        let fs = "[package]\nname = \"byway-fs\"\n[dependencies]\nbyway-engine.workspace = true\n\
                  serde = \"1\"\n";
        assert!(whats(&[("fs/Cargo.toml", fs)]).is_empty());
    }

    #[test]
    fn sideways_is_refused_in_every_table() {
        for table in ["dependencies", "dev-dependencies", "target.'cfg(unix)'.build-dependencies"] {
            let fs = format!("[package]\nname = \"byway-fs\"\n[{table}]\nbyway-nvme = {{}}\n");
            assert_eq!(whats(&[("fs/Cargo.toml", &fs)]), ["fs may not name nvme"], "{table}");
        }
    }

    #[test]
    fn a_renamed_dependency_is_seen() {
        let fs =
            "[package]\nname = \"byway-fs\"\n[dependencies]\nx = { package = \"byway-nvme\" }\n";
        assert_eq!(whats(&[("fs/Cargo.toml", fs)]), ["fs may not name nvme"]);
    }

    #[test]
    fn up_and_unknown_rooms_are_refused() {
        let engine = "[package]\nname = \"byway-tuning\"\n[dependencies]\nbyway-engine = {}\n";
        assert_eq!(whats(&[("tuning/Cargo.toml", engine)]), ["tuning may not name engine"]);
        let util = "[package]\nname = \"byway-util\"\n";
        assert_eq!(whats(&[("util/Cargo.toml", util)]), ["util is not a room of the table"]);
    }
}

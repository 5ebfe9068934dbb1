//! The commands of the bench, as a newcomer gives them.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{Folder, byway, failure};

const SHORT: [&str; 4] = ["--runtime", "300ms", "--warmup", "0s"];

fn json(path: &std::path::Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_run_prints_a_table_and_nothing_else() {
    let output =
        byway(&["bench", "run", "mem:64m", "--rw", "randread"]).args(SHORT).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{table}");
    assert!(table.contains("IOPS") && table.contains("p99.9") && table.contains("kernel"));
}

#[test]
fn a_run_writes_every_report() {
    let folder = Folder::new("reports");
    let path = |name: &str| folder.path(name).display().to_string();
    let (result, log, page) = (path("r.json"), path("r.hlog"), path("r.html"));
    let files = ["--json", &result, "--hdr", &log, "--html", &page];
    let output = byway(&["bench", "run", "null:1g"]).args(SHORT).args(files).output().unwrap();
    assert!(output.status.success());
    assert_eq!(folder.names(), ["r.hlog", "r.html", "r.json"], "and no parts of them");
    let run = json(folder.path("r.json").as_path());
    assert!(run["jobs"][0]["read"]["iops"].as_f64().unwrap() > 0.0);
    assert_eq!(run["x"]["allocs_per_io"].as_f64().map(|n| n < 0.01), Some(true));
}

#[test]
fn json_alone_goes_to_the_standard_output() {
    let output = byway(&["bench", "run", "null:1g", "--json", "-"]).args(SHORT).output().unwrap();
    let run: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["x"]["uri"].as_str().unwrap().split(':').next(), Some("null"));
}

#[test]
fn verified_writes_come_back_from_a_file() {
    let folder = Folder::new("verify");
    let uri = common::file_uri(&folder.file("disk", 4 << 20));
    let args = ["bench", "run", &uri, "--rw", "randrw", "--verify", "crc32c", "--qd", "8"];
    let output = byway(&args).args(SHORT).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(table.contains("verified"), "{table}");
}

/// A copy of a result in which every median is `p50` nanoseconds.
fn with_median(result: &serde_json::Value, p50: u64, path: &str) {
    let mut copy = result.clone();
    let job = &mut copy["jobs"][0];
    job["read"]["lat_ns"]["percentile"]["50.000000"] = p50.into();
    let point = serde_json::json!({"ios": 1, "p50": p50, "p99": 1, "max": 1});
    job["x"]["read_series"] = vec![point; 10].into();
    std::fs::write(path, copy.to_string()).unwrap();
}

#[test]
fn two_results_are_compared_and_a_condition_can_fail() {
    let folder = Folder::new("compare");
    let path = |name: &str| folder.path(name).display().to_string();
    let (a, b) = (path("a"), path("b"));
    let args = ["bench", "run", "null:1g", "--json", &a];
    assert!(byway(&args).args(SHORT).status().unwrap().success());
    let mut result = json(folder.path("a").as_path());
    with_median(&result, 1000, &a);
    result["jobs"][0]["job options"]["iodepth"] = "1".into();
    with_median(&result, 500, &b);
    let output = byway(&["bench", "compare", &a, &b]).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && table.contains("iodepth differs"), "{table}");
    let output = byway(&["bench", "compare", &a, &b, "--fail-if", "p50<-5%"]).output().unwrap();
    let (line, code) = failure(&output);
    assert!(code == 1 && line.contains("p50<-5%") && line.contains("-50.0 %"), "{line}");
    assert!(
        byway(&["bench", "compare", &a, &b, "--fail-if", "p50>5%"]).status().unwrap().success()
    );
}

#[test]
fn a_sweep_prints_its_steps() {
    let folder = Folder::new("sweep");
    let path = folder.path("s.json");
    let output = byway(&["bench", "sweep", "null:1g", "--rate", "1k..4k", "--steps", "2"])
        .args(SHORT)
        .arg("--json")
        .arg(&path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8(output.stdout).unwrap().contains("knee:"));
    assert_eq!(json(&path)["steps"].as_array().unwrap().len(), 2);
}

#[test]
fn peers_need_a_file() {
    let output = byway(&["bench", "peers", "mem:1g"]).output().unwrap();
    let (line, code) = failure(&output);
    assert!(code == 2 && line.contains("file:/path"), "{line}");
}

#[test]
fn the_version_is_printed() {
    let output = byway(&["version"]).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("byway "));
    assert!(byway(&["--help"]).status().unwrap().success());
}

//! The initiator against real targets: its own, tgt and istgt; verified, with digests and secrets.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[allow(dead_code, reason = "each test file needs a part of these helpers")]
mod common;
#[path = "common/own_target.rs"]
mod own_target;
#[path = "common/peers/mod.rs"]
mod peers;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use common::{Folder, byway, failure};
use own_target::OwnTarget;
use peers::{TgtOptions, istgt, tgt};

/// A verified load; answers how many blocks were compared.
fn verified(uri: &str, words: &[&str]) -> u64 {
    let args = ["bench", "run", uri, "--rw", "randrw", "--verify", "crc32c", "--warmup", "0s"];
    let mut command = byway(&args);
    command.args(["--runtime", "500ms", "--fill", "true", "--json", "-"]).args(words);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{uri} {words:?}: {text}");
    let run: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let extra = &run["jobs"][0]["x"];
    assert_eq!(extra["errors"], 0, "{uri} {words:?}");
    extra["verified"].as_u64().unwrap()
}

/// Short and long requests, with and without digests.
fn all_shapes(uri: &str) {
    for digest in ["none", "all"] {
        let uri = format!("{uri}?digest={digest}");
        for (bs, qd, size) in [("4k", "32", "8m"), ("256k", "4", "16m"), ("1m", "2", "16m")] {
            let compared = verified(&uri, &["--bs", bs, "--qd", qd, "--size", size]);
            assert!(compared > 0, "{uri} at {bs}: nothing was compared");
        }
    }
}

#[test]
fn the_own_target_keeps_what_is_written() {
    let target = OwnTarget::start(&["--lun", "mem:64m"]);
    all_shapes(&target.uri);
}

#[test]
fn a_file_behind_the_own_target_keeps_what_is_written() {
    let folder = Folder::new("lun-file");
    let disk = folder.file("disk", 32 << 20);
    let target = OwnTarget::start(&["--lun", disk.to_str().unwrap()]);
    assert!(verified(&target.uri, &["--bs", "4k", "--size", "8m"]) > 0);
    assert!(verified(&target.uri, &["--bs", "4k", "--size", "8m", "--fua", "true"]) > 0);
}

#[test]
fn tgt_keeps_what_is_written() {
    let Some(plain) = tgt("initiator-tgt", &TgtOptions::default()) else { return };
    // Segments of 8 KiB and R2Ts: a long write is asked for piece by piece.
    assert!(verified(&plain.peer().uri(), &["--bs", "64k", "--qd", "4", "--size", "16m"]) > 0);
    drop(plain);
    let options = TgtOptions {
        max_recv_data_segment_len: Some(262_144),
        initial_r2t: Some(false),
        first_burst_len: Some(262_144),
        digests: true,
        ..TgtOptions::default()
    };
    let Some(tgt) = tgt("initiator-tgt-digests", &options) else { return };
    all_shapes(&tgt.peer().uri());
}

#[test]
fn istgt_keeps_what_is_written() {
    let Some(istgt) = istgt("initiator-istgt") else { return };
    assert!(verified(&istgt.uri(), &["--bs", "4k", "--qd", "8", "--size", "8m"]) > 0);
}

/// The kernel's target in a guest, where the harness that boots it has told where it is.
#[test]
fn the_kernels_target_keeps_what_is_written() {
    let Ok(uri) = std::env::var("BYWAY_LIO_URI") else {
        println!("skipped: BYWAY_LIO_URI is not set; cargo xtask guest lio -- COMMAND sets it");
        return;
    };
    all_shapes(&uri);
}

fn secret(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.path(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn both_sides_prove_themselves() {
    let folder = Folder::new("chap");
    let ours = secret(&folder, "ours", "a secret of the host\n");
    let theirs = secret(&folder, "theirs", "a secret of the target\n");
    let wrong = secret(&folder, "wrong", "not the secret at all\n");
    let args = ["--lun", "mem:16m", "--user", "me", "--secret", &ours, "--mutual", &theirs];
    let target = OwnTarget::start(&args);
    let uri = |options: &str| {
        let (_, rest) = target.uri.split_once("//").unwrap();
        format!("iscsi://me@{rest}?{options}")
    };
    assert!(verified(&uri(&format!("secret={ours}&mutual={theirs}")), &["--size", "4m"]) > 0);
    for (options, part) in [
        (format!("secret={wrong}"), "authentication"),
        (format!("secret={ours}&mutual={wrong}"), "CHAP"),
    ] {
        let (line, code) = failure(&read_once(&uri(&options)));
        assert_eq!(code, 1, "{line}");
        assert!(line.to_lowercase().contains(&part.to_lowercase()), "{line}");
        assert!(!line.contains("secret of") && !line.contains("not the secret"), "{line}");
    }
}

fn read_once(uri: &str) -> Output {
    let args = ["bench", "run", uri, "--rw", "read", "--runtime", "50ms", "--warmup", "0s"];
    byway(&args).output().unwrap()
}

#[test]
fn what_is_wrong_is_named() {
    let target = OwnTarget::start(&["--lun", "mem:16m"]);
    let (base, _) = target.uri.rsplit_once('/').unwrap();
    let (portal, _) = base.rsplit_once('/').unwrap();
    for (uri, part) in [
        (format!("{base}/7"), "LUN"),
        (format!("{portal}/iqn.2026-11.org.byway:other/0"), "target"),
        ("iscsi://127.0.0.1:1/iqn.2026-11.org.byway:target/0".into(), "refused"),
    ] {
        let (line, code) = failure(&read_once(&uri));
        assert!(code == 1 && line.contains(part), "{uri}: {line}");
    }
}

#[test]
fn a_read_only_lun_refuses_writes() {
    let target = OwnTarget::start(&["--lun", "mem:16m", "--read-only"]);
    let args = ["bench", "run", &target.uri, "--rw", "write", "--runtime", "50ms"];
    let (line, code) = failure(&byway(&args).output().unwrap());
    assert!(code == 1 && line.contains("read-only"), "{line}");
}

#[test]
fn a_portal_beyond_this_host_needs_authentication() {
    let args = ["target", "serve", "--lun", "mem:16m", "--portal", "0.0.0.0:0"];
    let (line, code) = failure(&byway(&args).output().unwrap());
    assert!(code == 2 && line.contains("--secret"), "{line}");
}

#[test]
fn the_demo_loses_nothing() {
    let folder = Folder::new("demo");
    let report = folder.path("report.json");
    let args = ["demo", "--size", "32m", "--runtime", "3s", "--json", report.to_str().unwrap()];
    let output = byway(&args).arg("--folder").arg(folder.path("")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{error}");
    let fault = |server: &str| format!("kill -9 of the {server}");
    for part in [&fault("target")[..], &fault("export"), "I/O flows", "nothing was lost"] {
        assert!(text.contains(part), "'{part}' is not in: {text}");
    }
    let report: serde_json::Value = serde_json::from_slice(&read(&report)).unwrap();
    assert_eq!((&report["lost_blocks"], &report["failed_requests"]), (&0.into(), &0.into()));
    assert!(report["compared_blocks"].as_u64().unwrap() > 0);
    for server in ["recovery_ms", "export_recovery_ms"] {
        assert!(report[server].as_f64().unwrap() > 0.0, "{server}");
    }
    assert_eq!(folder.names(), ["report.json"], "the demo cleans up");
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

//! `byway iscsi` and `byway lun` against targets by others.
//!
//! What a LUN check must find: tgt does not refuse some commands, forgets registrations and knows no
//! PREEMPT AND ABORT, all of which a cluster can live with; istgt lets the loser of a race shut out
//! the winner, which it cannot. Our own target has nothing to be lived with.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[allow(dead_code, reason = "of these helpers, a part is needed")]
mod common;
#[path = "common/own_target.rs"]
mod own_target;
#[path = "common/peers/mod.rs"]
mod peers;

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use byway_engine::core::CoreConfig;
use byway_engine::net::Address;
use byway_engine::reactor::Reactor;
use byway_iscsi_initiator::{IscsiConfig, RawData, RawEnd, RawSession};
use byway_proto::scsi::cdb::{ReserveOut, ReserveOutAction};
use byway_proto::scsi::data::ReserveList;
use byway_proto::scsi::{Command as ScsiCommand, Lun};
use common::{Folder, byway, failure};
use own_target::OwnTarget;
use peers::{Chap, Peer, TARGET, TgtOptions, istgt, tgt};
use serde_json::Value;

/// Runs the binary with nobody at a terminal, and ends it where it hangs.
fn run(args: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "60", env!("CARGO_BIN_EXE_byway")]).args(args);
    command.env_remove("RUST_LOG").stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A line of a failed command, with its exit code checked.
fn refused(args: &[&str], code: i32, parts: &[&str]) {
    let output = byway(args).stdin(Stdio::null()).output().unwrap();
    assert!(output.stdout.is_empty(), "nothing but results on the standard output");
    let (line, found) = failure(&output);
    assert_eq!(found, code, "{line}");
    for part in parts {
        assert!(line.contains(part), "'{part}' is not in: {line}");
    }
    assert!(line.contains("; "), "a remedy stands behind a semicolon: {line}");
}

/// How the finding of that name stands to what was expected.
fn holds(report: &Value, check: &str) -> String {
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["check"] == check);
    finding.unwrap_or_else(|| panic!("no {check}: {report}"))["holds"].as_str().unwrap().to_owned()
}

/// The keys that are registered.
fn keys(peer: &Peer) -> usize {
    let info = json(&run(&["iscsi", "info", &peer.uri(), "--json"]));
    info["reservations"]["registrants"].as_array().unwrap().len()
}

#[test]
fn the_targets_and_luns_of_tgt_are_listed() {
    let Some(tgt) = tgt("tools-ls", &TgtOptions::default()) else { return };
    let portal = tgt.peer().portal().to_string();
    let found = json(&run(&["iscsi", "discover", &portal, "--json"]));
    assert_eq!(found[0]["target"], TARGET);
    assert_eq!(found[0]["portals"][0], format!("{portal},1"));
    assert!(text(&run(&["iscsi", "discover", &portal])).contains(TARGET));
    let listed = json(&run(&["iscsi", "ls", &portal, "--json"]));
    let luns = &listed[0]["luns"];
    assert_eq!((&luns[0]["kind"], &luns[0]["size"]), (&"controller".into(), &Value::Null));
    assert_eq!((&luns[1]["kind"], &luns[1]["size"]), (&"disk".into(), &(64 << 20).into()));
    assert_eq!(luns[1]["uri"], tgt.peer().uri());
    let table = text(&run(&["iscsi", "ls", &portal]));
    assert!(table.contains("1    disk        64.0 MiB  IET VIRTUAL-DISK"), "{table}");
}

#[test]
fn everything_about_a_lun_of_tgt_is_told() {
    let Some(tgt) = tgt("tools-info", &TgtOptions::default()) else { return };
    let uri = tgt.peer().uri();
    let info = json(&run(&["iscsi", "info", &uri, "--json"]));
    assert_eq!(info["identity"]["vendor"], "IET");
    assert_eq!(info["session"]["InitialR2T"], true);
    assert_eq!(info["size"]["block_len"], 512);
    assert_eq!(info["reservations"]["registrants"], Value::Array(vec![]));
    let refused = info["refused"].as_array().unwrap();
    let segment = refused.iter().find(|r| r["key"] == "MaxRecvDataSegmentLength").unwrap();
    assert_eq!(segment["value"], "8192");
    assert!(segment["tgt"].as_str().unwrap().contains("--value 262144"), "{segment}");
    let page = text(&run(&["iscsi", "info", &uri]));
    for part in ["InitialR2T=Yes, not No", "targetcli /iscsi/", "reservation", "64.0 MiB"] {
        assert!(page.contains(part), "'{part}' is not in: {page}");
    }
    let gone = uri.replace(&format!("{TARGET}/1"), &format!("{TARGET}/7"));
    self::refused(&["iscsi", "info", &gone], 1, &[&gone, "byway iscsi ls"]);
}

/// What `info` tells to raise is raised by the command that it tells, and then it tells it no more.
#[test]
fn a_raised_key_is_told_no_more() {
    let Some(tgt) = tgt("tools-raise", &TgtOptions::default()) else { return };
    let uri = tgt.peer().uri();
    let refused = |info: &Value| info["refused"].as_array().unwrap().clone();
    let before = refused(&json(&run(&["iscsi", "info", &uri, "--json"])));
    assert!(before.len() >= 3, "{before:?}");
    for entry in &before {
        let command = entry["tgt"].as_str().unwrap().replace("TID", "1");
        tgt.admin(command.strip_prefix("tgtadm --lld iscsi ").unwrap());
    }
    assert_eq!(refused(&json(&run(&["iscsi", "info", &uri, "--json"]))), Vec::<Value>::new());
}

#[test]
fn tgt_is_safe_with_resets_and_with_commands_that_are_never_sent() {
    let Some(tgt) = tgt("tools-check", &TgtOptions::default()) else { return };
    let peer = tgt.peer();
    let content: Vec<u8> = (0..64 << 20).map(|at: u32| (at / 512) as u8).collect();
    std::fs::write(peer.image(), &content).unwrap();
    let output = run(&["lun", "check", &peer.uri(), "--yes", "--json"]);
    assert!(output.stderr.is_empty(), "nothing but the result in a pipe");
    let report = json(&output);
    assert_eq!(report["verdict"], "SAFE-WITH-LU-RESET", "{report}");
    let never = ["WRITE SAME", "UNMAP", "WRITE AND VERIFY", "ORWRITE"];
    assert_eq!(report["never_sent"], Value::from(never.to_vec()));
    for check in ["reservation", "preempt-race", "preempt-absent-key", "fenced-write-10"] {
        assert_eq!(holds(&report, check), "yes", "{check}: {report}");
    }
    for check in ["reset-in-flight", "reset-keeps", "other-session", "fenced-reads"] {
        assert_eq!(holds(&report, check), "yes", "{check}: {report}");
    }
    assert_eq!(holds(&report, "preempt-and-abort"), "absent");
    assert_eq!(holds(&report, "fenced-compare-and-write"), "absent");
    assert_eq!(holds(&report, "relogin"), "no");
    assert_eq!(holds(&report, "fenced-unmap"), "no");
    assert!(report["notes"][0].as_str().unwrap().contains("register again"), "{report}");
    assert_eq!(keys(peer), 0, "no registration stays behind");
    assert!(std::fs::read(peer.image()).unwrap() == content, "the content is restored");
}

#[test]
fn istgt_is_unsafe_because_of_the_loser_of_a_race() {
    let Some(istgt) = istgt("tools-check") else { return };
    let output = run(&["lun", "check", &istgt.uri(), "--yes", "--json"]);
    let report = json(&output);
    assert_eq!(report["verdict"], "UNSAFE", "{report}");
    assert_eq!(holds(&report, "preempt-absent-key"), "no", "{report}");
    assert_eq!(holds(&report, "preempt-race"), "no", "{report}");
    assert!(report.to_string().contains("which shuts out the winner"), "{report}");
    assert_eq!(holds(&report, "preempt-and-abort"), "yes", "{report}");
    assert_eq!(holds(&report, "fenced-write-16"), "yes", "{report}");
    let (line, code) = failure(&output);
    assert_eq!(code, 1);
    assert!(line.contains("UNSAFE") && line.contains("; use another target"), "{line}");
}

#[test]
fn our_own_target_is_safe() {
    let folder = Folder::new("tools-own");
    let disk = folder.file("disk", 64 << 20);
    let state = folder.path("state");
    std::fs::create_dir(&state).unwrap();
    let (disk, state) = (disk.display().to_string(), state.display().to_string());
    let target = OwnTarget::start(&["--lun", &disk, "--state", &state]);
    let report = json(&run(&["lun", "check", &target.uri, "--yes", "--json"]));
    assert_eq!(report["verdict"], "SAFE", "{report}");
    assert_eq!(report["never_sent"], Value::Array(vec![]), "{report}");
    assert_eq!(report["notes"], Value::Array(vec![]), "{report}");
    let findings = report["findings"].as_array().unwrap();
    let missed: Vec<_> = findings.iter().filter(|finding| finding["holds"] != "yes").collect();
    assert!(missed.is_empty(), "{missed:?}");
}

/// The kernel's target in a guest, where the harness that boots it has told where it is.
#[test]
fn the_kernels_target_is_safe() {
    let Ok(uri) = std::env::var("BYWAY_LIO_URI") else {
        println!("skipped: BYWAY_LIO_URI is not set; cargo xtask guest lio -- COMMAND sets it");
        return;
    };
    let report = json(&run(&["lun", "check", &uri, "--yes", "--json"]));
    assert_eq!(report["verdict"], "SAFE", "{report}");
}

#[test]
fn a_check_writes_only_where_it_may() {
    let Some(tgt) = tgt("tools-yes", &TgtOptions::default()) else { return };
    let uri = tgt.peer().uri();
    refused(&["lun", "check", &uri], 2, &[&uri, "add --yes"]);
    refused(&["lun", "check", &format!("{uri}?readonly=on"), "--yes"], 2, &["readonly=on"]);
    let far = ["lun", "check", &uri, "--yes", "--scratch-lba", "131072"];
    refused(&far, 1, &["no room", "--scratch-lba"]);
    let report = json(&run(&["lun", "check", &uri, "--yes", "--json", "--scratch-lba", "64"]));
    assert_eq!(report["scratch"]["first_block"], 64);
}

/// Registers a key as another host, and goes away; tgt keeps the key.
fn register(peer: &Peer, key: u64) {
    let portal = Address::Tcp(peer.portal());
    let mut config = IscsiConfig::new(portal, TARGET);
    (config.initiator_name, config.lun) = ("iqn.2026-01.org.byway:other".into(), Lun::flat(1));
    let reactor = Reactor::new(&CoreConfig::default()).unwrap();
    reactor.run(|core| async move {
        let session = RawSession::open(&core, &config).await.unwrap();
        let list = ReserveList { action_key: key, ..ReserveList::default() }.build();
        let action = ReserveOutAction::RegisterIgnore;
        let out = ReserveOut { action, scope: 0, kind: 0, list_len: list.len() as u32 };
        let cdb = ScsiCommand::ReserveOut(out).build();
        let mut end = RawEnd::NotSent;
        // The first command after a login is told of it.
        for _ in 0..2 {
            end = session.command(config.lun, cdb, RawData::Out(&list)).await;
        }
        assert_eq!(end, RawEnd::Good(Vec::new()));
    });
}

#[test]
fn who_is_registered_is_not_disturbed() {
    let Some(tgt) = tgt("tools-force", &TgtOptions::default()) else { return };
    let (peer, uri) = (tgt.peer(), tgt.peer().uri());
    register(peer, 0x42);
    refused(&["lun", "check", &uri, "--yes"], 1, &["0x0000000000000042", "--force"]);
    assert_eq!(keys(peer), 1);
    assert!(text(&run(&["lun", "check", &uri, "--yes", "--force"])).contains("SAFE-WITH-LU-RESET"));
    assert_eq!(keys(peer), 0);
}

#[test]
fn what_a_killed_check_left_is_taken_away() {
    let Some(tgt) = tgt("tools-left", &TgtOptions::default()) else { return };
    register(tgt.peer(), byway::lun::check::script::Node::Rival.key());
    let said = text(&run(&["lun", "check", &tgt.peer().uri(), "--yes"]));
    assert!(said.contains("SAFE-WITH-LU-RESET"), "{said}");
    assert_eq!(keys(tgt.peer()), 0);
}

/// istgt answers no writes that were cut off, so that a check of it takes its time.
#[test]
fn an_interrupted_check_puts_everything_back() {
    let Some(istgt) = istgt("tools-interrupt") else { return };
    let content: Vec<u8> = (0..64 << 20).map(|at: u32| (at / 512) as u8).collect();
    std::fs::write(istgt.image(), &content).unwrap();
    let mut check = byway(&["lun", "check", &istgt.uri(), "--yes"]);
    check.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let check = check.spawn().unwrap();
    while keys(&istgt) == 0 {}
    let id = check.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let (line, code) = failure(&check.wait_with_output().unwrap());
    assert!(code == 1 && line.contains("interrupted"), "{line}");
    assert_eq!(keys(&istgt), 0, "no registration stays behind");
    assert!(std::fs::read(istgt.image()).unwrap() == content, "the content is restored");
}

#[test]
fn secrets_come_from_private_files() {
    let chap = Some(Chap { user: "someone", secret: "a-secret-of-16-b" });
    let Some(tgt) = tgt("tools-chap", &TgtOptions { chap, ..TgtOptions::default() }) else {
        return;
    };
    let folder = Folder::new("tools-secret");
    let file = folder.path("secret");
    std::fs::write(&file, "a-secret-of-16-b\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (portal, file) = (tgt.peer().portal().to_string(), file.display().to_string());
    let login = ["--user", "someone", "--secret", &file, "--chap", "md5"];
    let with = |args: &[&str]| run(&[args, &login[..]].concat());
    assert!(text(&with(&["iscsi", "ls", &portal])).contains("64.0 MiB"));
    let uri = tgt.peer().uri().replace("iscsi://", "iscsi://someone@");
    let uri = format!("{uri}?secret={file}&chap=md5");
    assert!(text(&run(&["iscsi", "info", &uri])).contains("64.0 MiB"));
    assert!(text(&run(&["lun", "check", &uri, "--yes"])).contains("SAFE-WITH-LU-RESET"));
    let output = run(&["iscsi", "ls", &portal]);
    let (line, code) = failure(&output);
    assert!(code == 1 && line.contains(TARGET), "{line}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let args = [&["iscsi", "discover", &portal][..], &login].concat();
    refused(&args, 1, &[&file, "chmod 0600"]);
}

#[test]
fn mistakes_are_one_line_with_a_remedy() {
    refused(&["iscsi", "discover", "a b"], 2, &["'a b'", "host:port"]);
    refused(&["iscsi", "ls", "127.0.0.1:1"], 1, &["127.0.0.1:1"]);
    refused(&["iscsi", "ls", "127.0.0.1", "--user", "me"], 2, &["--secret"]);
    refused(&["iscsi", "ls", "127.0.0.1", "--initiator", "me"], 2, &["--initiator 'me'", "iqn."]);
    refused(&["iscsi", "info", "mem:1g"], 2, &["'mem:1g'", "iscsi://"]);
    refused(
        &["iscsi", "info", "iscsi://127.0.0.1:1/iqn.2026-01.org.byway:rig/0"],
        1,
        &["127.0.0.1"],
    );
    refused(&["lun", "check", "file:/x", "--yes"], 2, &["'file:/x'", "iscsi://"]);
    let second = ["lun", "check", "iscsi://h/iqn.2026-01.org.byway:rig/0", "--second", "me"];
    refused(&second[..3], 1, &["h"]);
}

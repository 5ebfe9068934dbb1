//! The iSCSI programs by others that tests need: they run here, and find each other.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[allow(dead_code, reason = "of these helpers, the peers need the folder")]
mod common;
#[path = "common/peers/mod.rs"]
mod peers;

use common::byway;
use peers::{Chap, Peer, TgtOptions, iscsi_test_cu, istgt, tgt, tool};

fn text(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The smallest loop gets answers, and makes fewer system calls than requests.
fn ceiling_runs(peer: &Peer, words: &[&str]) {
    let uri = peer.uri();
    let args = ["bench", "ceiling", "iscsi", &uri, "--runtime", "200ms", "--batch", "16"];
    let output = byway(&args).args(words).output().unwrap();
    assert!(output.status.success(), "{}{}", text(&output), peer.log());
    let figures: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(figures["iops"].as_f64().unwrap() > 0.0, "{figures}");
}

#[test]
fn libiscsi_finds_the_disk_of_tgt() {
    let test = "libiscsi-tgt";
    let Some(tgt) = tgt(test, &TgtOptions::default()) else { return };
    let portal = format!("iscsi://{}/", tgt.peer().portal());
    let Some(output) = tool(test, "iscsi-ls", &["-s", &portal], 20) else { return };
    assert!(text(&output).contains("DIRECT_ACCESS (Size:63M)"), "{}", text(&output));
    let output = tool(test, "iscsi-inq", &[&tgt.peer().uri()], 20).unwrap();
    assert!(text(&output).contains("Peripheral Device Type:DIRECT_ACCESS"), "{}", text(&output));
    let found = iscsi_test_cu(test, &tgt.peer().uri(), "SCSI.Read10.Simple").unwrap();
    assert_eq!((found.ran, found.failed), (1, 0), "{}", found.text);
}

#[test]
fn the_smallest_loop_reads_and_writes_a_disk_of_tgt() {
    // Segments of 8 KiB: a longer write is asked for piece by piece.
    let Some(tgt) = tgt("ceiling-tgt", &TgtOptions::default()) else { return };
    for words in [&[][..], &["--write"], &["--spin"], &["--write", "--bs", "64k"], &["--qd", "1"]] {
        ceiling_runs(tgt.peer(), words);
    }
    let bytes = std::fs::read(tgt.peer().image()).unwrap();
    assert!(bytes.iter().all(|byte| [0, 0x5a].contains(byte)) && bytes.contains(&0x5a));
}

#[test]
fn the_knobs_of_tgt_hold() {
    let options = TgtOptions {
        max_recv_data_segment_len: Some(262_144),
        initial_r2t: Some(false),
        first_burst_len: Some(262_144),
        digests: true,
        ..TgtOptions::default()
    };
    let Some(tgt) = tgt("knobs-tgt", &options) else { return };
    ceiling_runs(tgt.peer(), &["--write", "--bs", "64k"]);
    let shown = tgt.admin("--op show --mode target --tid 1");
    for knob in ["FirstBurstLength=262144", "HeaderDigest=CRC32C", "InitialR2T=No"] {
        assert!(shown.contains(knob), "{knob}: {shown}");
    }
}

#[test]
fn tgt_wants_the_password_that_it_was_given() {
    let test = "chap-tgt";
    let chap = Some(Chap { user: "someone", secret: "a-secret-of-16-b" });
    let Some(tgt) = tgt(test, &TgtOptions { chap, ..TgtOptions::default() }) else { return };
    let uri = tgt.peer().uri();
    let Some(refused) = tool(test, "iscsi-inq", &[&uri], 20) else { return };
    assert!(!refused.status.success(), "{}", text(&refused));
    let with_name = uri.replace("iscsi://", "iscsi://someone%a-secret-of-16-b@");
    let output = tool(test, "iscsi-inq", &[&with_name], 20).unwrap();
    assert!(text(&output).contains("DIRECT_ACCESS"), "{}", text(&output));
}

#[test]
fn libiscsi_and_the_smallest_loop_find_the_disk_of_istgt() {
    let Some(istgt) = istgt("istgt") else { return };
    ceiling_runs(&istgt, &["--write"]);
    let Some(output) = tool("istgt", "iscsi-inq", &[&istgt.uri()], 20) else { return };
    assert!(text(&output).contains("DIRECT_ACCESS"), "{}", text(&output));
}

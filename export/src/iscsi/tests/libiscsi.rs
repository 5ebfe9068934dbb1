//! Debian's `iscsi-test-cu` against this target, where it is installed (`libiscsi-bin`).
//!
//! Skipped by the tool, and why: WRITE ATOMIC, EXTENDED COPY and its results, SANITIZE and READ DEFECT
//! DATA are not implemented here; ejecting and read-only tests want a removable or protected unit.
//! WRITE SAME of no blocks is refused, as the block limits page says (WSNZ).
//!
//! Left out: GetLBAStatus.UnmapSingle with several logical blocks to the physical one, as it asks for
//! block `i + 1` and expects an answer that starts at `i + blocks per physical block`.

use std::process::Command;

use super::*;

/// The suites that are quick and leave nothing out.
const SUITES: [&str; 24] = [
    "SCSI.CompareAndWrite",
    "SCSI.GetLBAStatus.Simple",
    "SCSI.Inquiry",
    "SCSI.Mandatory",
    "SCSI.ModeSense6",
    "SCSI.OrWrite",
    "SCSI.Prefetch10",
    "SCSI.PrinReadKeys",
    "SCSI.ProutPreempt",
    "SCSI.ProutRegister",
    "SCSI.ProutReserve",
    "SCSI.Read16",
    "SCSI.ReadCapacity16",
    "SCSI.ReportSupportedOpcodes",
    "SCSI.TestUnitReady",
    "SCSI.Unmap",
    "SCSI.Verify16",
    "SCSI.Write16",
    "SCSI.WriteSame16",
    "SCSI.WriteVerify16",
    "iSCSI.iSCSITMF",
    "iSCSI.iSCSIResiduals",
    "iSCSI.iSCSIcmdsn",
    "iSCSI.iSCSIdatasn",
];

#[test]
fn the_conformance_suite_of_libiscsi_passes() {
    if Command::new("iscsi-test-cu").arg("--version").output().is_err() {
        eprintln!("iscsi-test-cu is not installed: nothing is tested");
        return;
    }
    story_in(256, config_with(mem(256)), |core, to| async move {
        for suite in SUITES {
            let url = format!("iscsi://{to}/{TARGET}/0");
            let running = std::thread::spawn(move || {
                let tool = Command::new("timeout")
                    .args(["60", "iscsi-test-cu", "--dataloss", "-t", suite, &url, &url])
                    .output();
                String::from_utf8_lossy(&tool.unwrap().stdout).into_owned()
            });
            while !running.is_finished() {
                core.sleep(1_000_000).await;
            }
            let said = running.join().unwrap();
            let tests = said.lines().find(|line| line.trim_start().starts_with("tests"));
            let numbers: Vec<u64> = tests
                .unwrap_or_default()
                .split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect();
            let [total, ran, passed, 0, 0] = numbers[..] else { panic!("{suite}: {said}") };
            assert!(total == ran && ran == passed && total > 0, "{suite}: {said}");
        }
    });
}

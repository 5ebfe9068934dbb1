//! Debian's istgt, one daemon for each test.
//!
//! `-D` keeps it in the foreground, `-c` and `-p` name its configuration and pid file. It refuses to
//! start without a `[UnitControl]` section, with `InitialR2T No`, and with `AuthMethod None` there.
//! The disk is LUN 0. It accepts about one login in a second, `iscsi-ls` of libiscsi 1.19 spins
//! against it, and a 2011 program deserves no trust where its answers differ from the standard:
//! PREEMPT of a key that is not there answers GOOD, and a preempted nexus gets no unit attention.

use std::net::SocketAddr;

use super::{Folder, Peer, TARGET, daemon, free_portal, is_missing};

/// Bytes of the disk.
const LEN: u64 = 64 << 20;

/// Starts istgt with one disk, or says why the test is skipped.
pub(crate) fn istgt(test: &str) -> Option<Peer> {
    if is_missing(test, "istgt", "istgt") {
        return None;
    }
    let folder = Folder::new(&format!("istgt-{test}"));
    folder.file("lun", LEN);
    folder.file("auth", 0);
    let portal = free_portal();
    std::fs::write(folder.path("conf"), configuration(&folder, portal)).unwrap();
    let mut command = daemon("istgt");
    command.args(["-D", "-c"]).arg(folder.path("conf"));
    command.arg("-p").arg(folder.path("pid"));
    Some(Peer::start(command, folder, portal, 0))
}

fn configuration(folder: &Folder, portal: SocketAddr) -> String {
    let path = |name: &str| folder.path(name).display().to_string();
    let (base, name) = TARGET.split_once(':').expect("the name has a base and a rest");
    let (pid, auth, media, lun) = (path("pid"), path("auth"), path(""), path("lun"));
    format!(
        "[Global]\nNodeBase \"{base}\"\nPidFile {pid}\nAuthFile {auth}\nMediaDirectory {media}\n\
         Timeout 30\nNopInInterval 20\nDiscoveryAuthMethod Auto\nMaxSessions 16\nMaxConnections 4\n\
         FirstBurstLength 262144\nMaxBurstLength 1048576\nMaxRecvDataSegmentLength 262144\n\
         InitialR2T Yes\nImmediateData Yes\n\
         [UnitControl]\nAuthMethod CHAP\nAuthGroup AuthGroup10000\nNetmask 127.0.0.1\n\
         [PortalGroup1]\nPortal P1 {portal}\n\
         [InitiatorGroup1]\nInitiatorName \"ALL\"\nNetmask 127.0.0.0/8\n\
         [LogicalUnit1]\nTargetName {name}\nMapping PortalGroup1 InitiatorGroup1\nAuthMethod None\n\
         UseDigest Auto\nUnitType Disk\nQueueDepth 64\nLUN0 Storage {lun} Auto\n"
    )
}

//! Debian's tgt, one daemon for each test.
//!
//! `-f` keeps it in the foreground, `--iscsi portal=ADDRESS:PORT` is its only portal (without it,
//! port 3260 of every address), and `TGT_IPC_SOCKET` with `-C 1` names the control socket
//! (`PATH.1`), so that it and `tgtadm` meet nobody else. LUN 0 is the controller; the disk is LUN 1.
//! `thin_provisioning=1` lets it take UNMAP and WRITE SAME. Knobs of a target are set by
//! `tgtadm --op update --mode target` and hold for logins after it. An account is created first and
//! then bound to the target (`--outgoing` for the target's own, in mutual CHAP).

use std::process::Command;

use super::{Folder, Peer, TARGET, daemon, free_portal, is_missing};

/// One account of CHAP.
#[derive(Clone, Debug)]
pub(crate) struct Chap {
    pub(crate) user: &'static str,
    pub(crate) secret: &'static str,
}

/// What differs from the defaults of tgt.
#[derive(Clone, Debug, Default)]
pub(crate) struct TgtOptions {
    /// Bytes of the disk; 64 MiB if zero.
    pub(crate) size: u64,
    /// `InitialR2T`, which is Yes otherwise (and then cannot be negotiated away).
    pub(crate) initial_r2t: Option<bool>,
    /// `ImmediateData`, which is Yes otherwise.
    pub(crate) immediate_data: Option<bool>,
    /// `MaxRecvDataSegmentLength`, 8192 otherwise.
    pub(crate) max_recv_data_segment_len: Option<u32>,
    /// `FirstBurstLength`, 65536 otherwise.
    pub(crate) first_burst_len: Option<u32>,
    /// Checksums over headers and data for who asks for them; refused otherwise.
    pub(crate) digests: bool,
    /// Who may log in; everyone otherwise.
    pub(crate) chap: Option<Chap>,
    /// By what the target proves itself.
    pub(crate) mutual_chap: Option<Chap>,
}

/// A running tgt.
pub(crate) struct Tgt {
    peer: Peer,
}

/// Starts tgt with one disk, or says why the test is skipped.
pub(crate) fn tgt(test: &str, options: &TgtOptions) -> Option<Tgt> {
    if is_missing(test, "tgtd", "tgt") || is_missing(test, "tgtadm", "tgt") {
        return None;
    }
    let folder = Folder::new(&format!("tgt-{test}"));
    folder.file("lun", if options.size == 0 { 64 << 20 } else { options.size });
    let portal = free_portal();
    let mut command = daemon("tgtd");
    command.args(["-f", "-C", "1", "--iscsi", &format!("portal={portal}")]);
    command.env("TGT_IPC_SOCKET", folder.path("control"));
    let mut tgt = Tgt { peer: Peer::start(command, folder, portal, 1) };
    let control = tgt.peer.folder.path("control");
    tgt.peer.wait_for("its control socket", |_| {
        let mut show = admin(&control, &["--op", "show", "--mode", "target"]);
        show.output().is_ok_and(|output| output.status.success())
    });
    tgt.create(options);
    Some(tgt)
}

impl Tgt {
    /// The daemon and its disk.
    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// One operation of tgtadm, its words split at blanks; returns what it prints.
    pub(crate) fn admin(&self, words: &str) -> String {
        let words: Vec<_> = words.split(' ').collect();
        let output = admin(&self.peer.folder.path("control"), &words).output().unwrap();
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tgtadm {words:?}: {failed}{}", self.peer.log());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn create(&self, options: &TgtOptions) {
        self.admin(&format!("--op new --mode target --tid 1 -T {TARGET}"));
        let image = self.peer.image();
        let image = image.display();
        self.admin(&format!("--op new --mode logicalunit --tid 1 --lun 1 -b {image}"));
        self.admin("--op update --mode logicalunit --tid 1 --lun 1 --params thin_provisioning=1");
        let yes_no = |value: bool| if value { "Yes" } else { "No" }.to_owned();
        let knobs = [
            ("InitialR2T", options.initial_r2t.map(yes_no)),
            ("ImmediateData", options.immediate_data.map(yes_no)),
            (
                "MaxRecvDataSegmentLength",
                options.max_recv_data_segment_len.map(|len| len.to_string()),
            ),
            ("FirstBurstLength", options.first_burst_len.map(|len| len.to_string())),
            ("HeaderDigest", options.digests.then(|| "CRC32C,None".to_owned())),
            ("DataDigest", options.digests.then(|| "CRC32C,None".to_owned())),
        ];
        for (name, value) in knobs {
            if let Some(value) = value {
                self.admin(&format!("--op update --mode target --tid 1 -n {name} -v {value}"));
            }
        }
        self.bind_account(options.chap.as_ref(), "");
        self.bind_account(options.mutual_chap.as_ref(), " --outgoing");
        self.admin("--op bind --mode target --tid 1 -I ALL");
    }

    fn bind_account(&self, account: Option<&Chap>, direction: &str) {
        let Some(Chap { user, secret }) = account else { return };
        self.admin(&format!("--op new --mode account --user {user} --password {secret}"));
        self.admin(&format!("--op bind --mode account --tid 1 --user {user}{direction}"));
    }
}

fn admin(control: &std::path::Path, words: &[&str]) -> Command {
    let mut command = daemon("tgtadm");
    command.args(["-C", "1", "--lld", "iscsi"]).args(words).env("TGT_IPC_SOCKET", control);
    command
}

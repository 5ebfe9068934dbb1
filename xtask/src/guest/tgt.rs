//! Debian's tgt in the guest's network, for a guest that has nothing of ours to log in to.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::exec::Outcome;

use super::network::{HOST, Network};

/// Bytes of the disk.
const LEN: u64 = 64 << 20;
const READY_MAX: Duration = Duration::from_secs(10);

/// A running daemon with its files; both go away with the value.
pub(super) struct Tgt {
    child: Child,
    folder: PathBuf,
}

impl Tgt {
    /// A target of one disk, LUN 1, on port 3260 of the host's address.
    pub(super) fn start(network: &Network, target: &str) -> Outcome<Tgt> {
        let folder = std::env::temp_dir().join(format!("byway-guest-tgt-{}", std::process::id()));
        let failed = |e| format!("{}: {e}", folder.display());
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let disk = folder.join("disk");
        std::fs::File::create(&disk).and_then(|file| file.set_len(LEN)).map_err(failed)?;
        let mut daemon = network.program("tgtd");
        daemon.args(["-f", "-C", "1", "--iscsi", &format!("portal={HOST}:3260")]);
        daemon.stdout(Stdio::null()).stderr(Stdio::null());
        daemon.env("TGT_IPC_SOCKET", folder.join("control"));
        let child = daemon.spawn().map_err(|e| format!("tgtd: {e}"))?;
        let tgt = Tgt { child, folder };
        tgt.wait(network)?;
        let disk = disk.display();
        for words in [
            format!("--op new --mode target --tid 1 -T {target}"),
            format!("--op new --mode logicalunit --tid 1 --lun 1 -b {disk}"),
            // Otherwise it refuses checksums to an initiator that wants nothing else.
            "--op update --mode target --tid 1 -n HeaderDigest -v CRC32C,None".to_owned(),
            "--op update --mode target --tid 1 -n DataDigest -v CRC32C,None".to_owned(),
            "--op bind --mode target --tid 1 -I ALL".to_owned(),
        ] {
            crate::exec::run(&mut tgt.admin(network, &words))?;
        }
        Ok(tgt)
    }

    fn admin(&self, network: &Network, words: &str) -> Command {
        let mut command = network.program("tgtadm");
        command.args(["-C", "1", "--lld", "iscsi"]).args(words.split(' '));
        command.env("TGT_IPC_SOCKET", self.folder.join("control"));
        command
    }

    fn wait(&self, network: &Network) -> Outcome {
        let start = Instant::now();
        let mut show = self.admin(network, "--op show --mode target");
        show.stdout(Stdio::null()).stderr(Stdio::null());
        while !show.status().is_ok_and(|status| status.success()) {
            if start.elapsed() > READY_MAX {
                return Err("tgtd does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Tgt {
    /// SIGKILL: tgtd ignores SIGTERM while it has targets.
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}

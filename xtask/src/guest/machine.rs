//! A QEMU whose guest can be moved to another: no network, a disk over NBD, a console that all of them
//! append to one file, a monitor.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::exec::{self, Outcome};

use super::boot::CMDLINE;
use super::image::Image;
use super::qmp::{LOOK, Qmp};
use super::tsc;

/// Source and destination have to be the same.
const QEMU: &str = "-nodefaults -no-user-config -M q35 -accel tcg,thread=multi,tb-size=64 \
    -cpu max -smp 2 -display none -monitor none -no-reboot -device virtio-blk-pci,drive=disk";
/// Bytes in a second that a migration may take: it is to end, not to be gentle.
const BANDWIDTH_MAX: u64 = 4 << 30;
/// For how long a migration may take.
const MIGRATION_MAX: Duration = Duration::from_secs(20);

/// One QEMU, which ends with this value, if not before.
pub(super) struct Machine {
    child: Child,
    qmp: Qmp,
    /// Where it waits for a guest, or would have.
    incoming: PathBuf,
}

/// How a migration went, in milliseconds.
#[derive(Debug)]
pub(super) struct Moved {
    pub(super) total: u64,
    pub(super) downtime: u64,
}

impl Machine {
    /// Boots the guest, or waits for one to come. `folder` holds the sockets and the console.
    pub(super) fn start(
        image: &Image,
        folder: &Path,
        name: &str,
        disk: &Path,
        is_to_wait: bool,
        deadline: Instant,
    ) -> Outcome<Machine> {
        let clock = tsc::khz().map(|khz| format!(" tsc=reliable tsc_early_khz={khz}"));
        let monitor = folder.join(format!("{name}.qmp"));
        let incoming = folder.join(format!("{name}.incoming"));
        let console = folder.join("console");
        let mut qemu = exec::program("qemu-system-x86_64");
        qemu.args(QEMU.split_whitespace()).args(["-m", &image.memory_mib.to_string()]);
        let disk = disk.display();
        let drive =
            format!("file=nbd+unix:///?socket={disk},if=none,id=disk,format=raw,cache=none");
        qemu.args(["-drive", &drive]);
        qemu.args(["-qmp", &format!("unix:{},server=on,wait=off", monitor.display())]);
        let port = format!("file,id=console,path={},append=on", console.display());
        qemu.args(["-chardev", &port, "-serial", "chardev:console"]);
        qemu.arg("-kernel").arg(&image.kernel).arg("-initrd").arg(&image.initrd);
        qemu.args(["-append", &format!("{CMDLINE}{}", clock.unwrap_or_default())]);
        if is_to_wait {
            qemu.args(["-incoming", &format!("unix:{}", incoming.display())]);
        }
        let child = qemu.stdout(Stdio::null()).spawn();
        let mut child = child.map_err(|e| format!("qemu-system-x86_64: {e}"))?;
        match Qmp::connect(&monitor, deadline) {
            Ok(qmp) => Ok(Machine { child, qmp, incoming }),
            Err(failure) => {
                end(&mut child);
                Err(failure)
            }
        }
    }

    /// Moves the guest to a machine that waits for it. This one stays, stopped and connected.
    pub(super) fn migrate(&mut self, to: &mut Machine) -> Outcome<Moved> {
        let limits = json!({ "max-bandwidth": BANDWIDTH_MAX });
        self.qmp.call("migrate-set-parameters", &limits)?;
        let uri = format!("unix:{}", to.incoming.display());
        self.qmp.call("migrate", &json!({ "uri": uri }))?;
        let deadline = Instant::now() + MIGRATION_MAX;
        let told = loop {
            let told = self.qmp.call("query-migrate", &json!({}))?;
            match told["status"].as_str() {
                Some("completed") => break told,
                Some("failed" | "cancelled") => return Err(format!("the migration: {told}")),
                _ if Instant::now() >= deadline => {
                    return Err(format!("the migration does not end: {told}"));
                }
                _ => std::thread::sleep(LOOK),
            }
        };
        while to.qmp.call("query-status", &json!({}))?["status"] != "running" {
            if Instant::now() >= deadline {
                return Err("the guest does not run where it was moved to".into());
            }
            std::thread::sleep(LOOK);
        }
        let number = |name: &str| told[name].as_u64().unwrap_or_default();
        Ok(Moved { total: number("total-time"), downtime: number("downtime") })
    }

    /// Stops the guest; what it has asked of its disk is done after that.
    pub(super) fn stop(&mut self) -> Outcome<Value> {
        self.qmp.call("stop", &json!({}))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    let _gone = child.kill();
    let _status = child.wait();
}

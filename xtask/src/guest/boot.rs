//! A running guest: QEMU with its command line, the console, and the status it ends with.
//!
//! The processor is emulated with one thread for each of the guest's. The kernel's command line
//! keeps clocks right on a busy host (`tsc_early_khz`) and leaves out what costs time. `init`
//! writes the script's status to `isa-debug-exit`, and QEMU ends with `status * 2 + 1`.

use std::process::{Child, Stdio};
use std::time::Instant;

use crate::exec::Outcome;

use super::TIMEOUT;
use super::console::Console;
use super::image::Image;
use super::network::{Network, TAP};
use super::tsc;

const QEMU: &str = "-nodefaults -no-user-config -M q35 -accel tcg,thread=multi,tb-size=256 \
    -cpu max -smp 2 -display none -serial stdio -monitor none -no-reboot \
    -device isa-debug-exit,iobase=0x501,iosize=1 -device virtio-net-pci,netdev=n0";
pub(super) const CMDLINE: &str =
    "console=ttyS0 quiet panic=-1 mitigations=off nokaslr random.trust_cpu=on";

/// A guest that ends with this value, if not before.
pub(super) struct Guest {
    child: Child,
    console: Console,
    deadline: Instant,
}

impl Guest {
    pub(super) fn start(image: &Image, network: &Network) -> Outcome<Guest> {
        let clock = tsc::khz().map(|khz| format!(" tsc=reliable tsc_early_khz={khz}"));
        let mut qemu = network.program("qemu-system-x86_64");
        qemu.args(QEMU.split_whitespace()).args(["-m", &image.memory_mib.to_string()]);
        qemu.args(["-netdev", &format!("tap,id=n0,ifname={TAP},script=no,downscript=no")]);
        qemu.arg("-kernel").arg(&image.kernel).arg("-initrd").arg(&image.initrd);
        qemu.args(["-append", &format!("{CMDLINE}{}", clock.unwrap_or_default())]);
        let mut child =
            qemu.stdout(Stdio::piped()).spawn().map_err(|e| format!("qemu-system-x86_64: {e}"))?;
        let console = Console::of(child.stdout.take().expect("standard output is piped"));
        Ok(Guest { child, console, deadline: Instant::now() + TIMEOUT })
    }

    /// Waits for a line of the script, and returns what follows the marker.
    pub(super) fn wait_for(&mut self, marker: &str) -> Outcome<String> {
        self.console.wait_for(marker, self.deadline)
    }

    /// Waits for the end of the script; a status other than zero is an error with its last lines.
    pub(super) fn wait_for_success(&mut self) -> Outcome {
        let status = self.wait_for("@@STATUS ")?;
        let code = self.child.wait().map_err(|e| format!("qemu-system-x86_64: {e}"))?.code();
        match (status.as_str(), code) {
            ("0", Some(1)) => Ok(()),
            _ => Err(format!(
                "the guest's script ended with {status}, QEMU with {code:?}; the last lines:\n{}",
                self.console.text()
            )),
        }
    }

    /// Passes the console on until the guest ends.
    pub(super) fn show(&mut self) {
        self.console.show();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

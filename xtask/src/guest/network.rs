//! A network of one guest and the programs that meet it: a network namespace with a tap device.
//!
//! User-mode networking stalls on large reads, and a tap among the machine's own devices could meet
//! its addresses. The namespace goes away with the value; one that a killed process has left is
//! removed by the next.

use std::path::Path;
use std::process::Command;

use crate::exec::{self, Outcome};

/// The host's address.
pub(super) const HOST: &str = "10.77.0.1";
/// The guest's address.
pub(super) const GUEST: &str = "10.77.0.2";
/// The device that QEMU opens.
pub(super) const TAP: &str = "tap0";
const PREFIX: &str = "byway-guest-";

/// A network namespace named after this process.
pub(super) struct Network {
    name: String,
}

impl Network {
    pub(super) fn create() -> Outcome<Network> {
        remove_stale();
        let network = Network { name: format!("{PREFIX}{}", std::process::id()) };
        ip(&["netns", "add", &network.name])?;
        network.ip(&["link", "set", "lo", "up"])?;
        network.ip(&["tuntap", "add", "dev", TAP, "mode", "tap"])?;
        network.ip(&["address", "add", &format!("{HOST}/24"), "dev", TAP])?;
        network.ip(&["link", "set", TAP, "up"])?;
        Ok(network)
    }

    /// The namespace's name, for `ip netns exec`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A program to be started in the namespace. It replaces `ip`: its process is the child.
    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = exec::program("ip");
        command.args(["netns", "exec", &self.name, name]);
        command
    }

    fn ip(&self, words: &[&str]) -> Outcome {
        ip(&[&["-n", self.name.as_str()], words].concat())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Err(failure) = ip(&["netns", "delete", &self.name]) {
            println!("{failure}");
        }
    }
}

fn ip(words: &[&str]) -> Outcome {
    exec::run(exec::program("ip").args(words))
}

fn remove_stale() {
    let Ok(entries) = std::fs::read_dir("/run/netns") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(process) = name.strip_prefix(PREFIX) else { continue };
        if !Path::new("/proc").join(process).exists() {
            let _gone = ip(&["netns", "delete", &name]);
        }
    }
}

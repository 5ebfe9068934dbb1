//! Which programs the steps need, and the Debian package each comes in.
//!
//! The table is the only place that names packages: `peers` installs from it, and a step that lacks
//! a program takes its reason for being skipped from it.

use crate::{exec, peers};

/// One Debian package, and the program by which its presence is seen.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) program: &'static str,
    /// What cannot be done without it.
    pub(crate) used_by: &'static [&'static str],
}

/// Every package that a step, a test or a peer measurement needs.
pub(crate) const PACKAGES: &[Package] = &[
    Package {
        name: "fio",
        program: "fio",
        used_by: &["bench peers", "fio tests of byway", "soak"],
    },
    Package { name: "valgrind", program: "valgrind", used_by: &["valgrind", "instructions"] },
    Package {
        name: "strace",
        program: "strace",
        used_by: &["strace check of the syscall counter"],
    },
    Package { name: "g++", program: "c++", used_by: &["fuzz", "soak"] },
    Package { name: "tgt", program: "tgtd", used_by: &["iSCSI tests against tgt", "guest"] },
    Package { name: "istgt", program: "istgt", used_by: &["iSCSI tests against istgt"] },
    Package {
        name: "libiscsi-bin",
        program: "iscsi-inq",
        used_by: &["iSCSI tests with libiscsi's tools", "guest"],
    },
    Package {
        name: "qemu-system-x86",
        program: "qemu-system-x86_64",
        used_by: &["guest", "guest-nbd", "guest-migrate"],
    },
    Package { name: "xz-utils", program: "xz", used_by: &["guest", "guest-nbd", "guest-migrate"] },
    Package { name: "e2fsprogs", program: "mkfs.ext4", used_by: &["guest-nbd"] },
    Package { name: "binutils", program: "strip", used_by: &["guest-nbd"] },
    Package { name: "iproute2", program: "ip", used_by: &["guest", "guest-nbd"] },
    Package { name: "nbdkit", program: "nbdkit", used_by: &["NBD tests", "bench peers --export"] },
    Package { name: "libnbd-bin", program: "nbdcopy", used_by: &["NBD tests of libnbd's tools"] },
    Package { name: "python3-libnbd", program: "nbdsh", used_by: &["NBD tests of every command"] },
    Package {
        name: "qemu-utils",
        program: "qemu-img",
        used_by: &["NBD tests of QEMU's tools", "bench peers --export", "guest-migrate"],
    },
];

/// Packages above with a service that would listen on every address of the machine, and its name:
/// no test needs it, each starts its own on 127.0.0.1. (istgt's service does not start without a
/// configuration, and the package has none.)
pub(crate) const UNWANTED_SERVICES: &[(&str, &str)] = &[("tgt", "tgt")];

/// A condition without which a step is skipped.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// A program on the search path.
    Program(&'static str),
    /// A cargo subcommand that a minimal toolchain may lack.
    Cargo(&'static str),
    /// To be root.
    Root,
    /// Network namespaces and tap devices, which root of a container may lack.
    Tap,
}

impl Need {
    /// Why the need is not met, or `None` when it is.
    pub(crate) fn missing(&self) -> Option<String> {
        match *self {
            Need::Program(name) if !is_on_path(name) => Some(not_installed(name)),
            Need::Cargo(name) if !has_subcommand(name) => {
                Some(format!("`cargo {name}` is not part of this toolchain"))
            }
            Need::Root if !peers::is_root() => Some("only root may do this".into()),
            Need::Tap if !has_tap() => Some("no network namespaces or no /dev/net/tun".into()),
            _ => None,
        }
    }
}

fn not_installed(program: &str) -> String {
    match PACKAGES.iter().find(|p| p.program == program) {
        Some(p) => format!("{program} is not installed (apt-get install {})", p.name),
        None => format!("{program} is not installed"),
    }
}

/// The packages whose program is not on the search path.
pub(crate) fn missing_packages() -> Vec<&'static Package> {
    PACKAGES.iter().filter(|p| !is_on_path(p.program)).collect()
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Daemons lie where the search path of a plain user does not lead.
    let mut dirs = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    dirs.any(|dir| dir.join(program).is_file())
}

fn has_tap() -> bool {
    let mut probe = exec::program("unshare");
    let probe = probe.args(["--net", "true"]).stderr(std::process::Stdio::null());
    let is_allowed = probe.status().is_ok_and(|status| status.success());
    is_allowed && std::path::Path::new("/dev/net/tun").exists()
}

fn has_subcommand(name: &str) -> bool {
    let mut probe = exec::program("cargo");
    probe.args([name, "--version"]).stdout(std::process::Stdio::null());
    probe.stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_is_found_and_nonsense_is_not() {
        assert!(Need::Program("sh").missing().is_none());
        assert!(Need::Program("no-such-program-here").missing().is_some());
        assert!(Need::Cargo("no-such-subcommand").missing().is_some());
    }

    #[test]
    fn the_reason_names_the_package() {
        assert!(not_installed("c++").contains("apt-get install g++"));
    }
}

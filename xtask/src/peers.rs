//! `cargo xtask peers`: the Debian packages that tests need.
//!
//! As root, what is missing is installed in one `apt-get` call. Otherwise, or when that fails, the
//! steps that will be skipped are named: a machine without the packages can still run the rest.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::exec::{self, Outcome};
use crate::packages::{self, Package, UNWANTED_SERVICES};

const QEMU: &str = "qemu-system-x86";
/// What Debian asks before a package starts a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

pub(crate) fn run() -> Outcome {
    let missing = packages::missing_packages();
    if missing.is_empty() {
        println!("every package that tests need is installed");
        return Ok(());
    }
    if is_root()
        && is_debian()
        && let Err(failure) = install(&missing)
    {
        println!("could not install: {failure}");
    }
    name_what_is_skipped(&packages::missing_packages());
    Ok(())
}

fn install(missing: &[&Package]) -> Outcome {
    exec::run(apt().args(["update", "-qq"]))?;
    let names: Vec<_> = missing.iter().map(|package| package.name).collect();
    let mut install = apt();
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&names);
    if names.contains(&QEMU)
        && let Some(utils) = qemu_utils_beside()
    {
        install.args(["--allow-downgrades", &utils]);
    }
    let _quiet = NoServices::from_now()?;
    exec::run(&mut install)?;
    let mut unwanted = UNWANTED_SERVICES.iter().filter(|(package, _)| names.contains(package));
    unwanted.try_for_each(|(_, service)| disable(service))
}

/// Waits for others who install something.
fn apt() -> std::process::Command {
    let mut apt = exec::program("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "DPkg::Lock::Timeout=300"]);
    apt
}

/// `qemu-utils` of the version that the emulator will have, where another one is installed: a newer
/// one breaks the emulator, and apt alone would remove it.
fn qemu_utils_beside() -> Option<String> {
    let policy = |package: &str, key: &str| {
        let text = exec::output(exec::program("apt-cache").args(["policy", package])).ok()?;
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key))?;
        Some(line.trim().to_owned())
    };
    let emulator = policy(QEMU, "Candidate:")?;
    let utils = policy("qemu-utils", "Installed:").filter(|version| version != "(none)")?;
    (utils != emulator).then(|| format!("qemu-utils={emulator}"))
}

/// While this lives, packages do not start their services (Debian's policy-rc.d). A policy that
/// the machine already has is left as it is.
struct NoServices {
    is_ours: bool,
}

impl NoServices {
    fn from_now() -> Outcome<NoServices> {
        let is_ours = !Path::new(POLICY).exists();
        if is_ours {
            let failed = |error| format!("{POLICY}: {error}");
            std::fs::write(POLICY, "#!/bin/sh\nexit 101\n").map_err(failed)?;
            let executable = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(POLICY, executable).map_err(failed)?;
        }
        Ok(NoServices { is_ours })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.is_ours
            && let Err(error) = std::fs::remove_file(POLICY)
        {
            println!("{POLICY}: {error}; remove it, or no package starts its service");
        }
    }
}

/// Keeps a service from starting with the machine.
fn disable(service: &str) -> Outcome {
    exec::run(exec::program("update-rc.d").args([service, "disable"]))
}

fn name_what_is_skipped(missing: &[&Package]) {
    for package in missing {
        println!("without {}, skipped: {}", package.name, package.used_by.join(", "));
    }
    if !missing.is_empty() && !is_root() {
        let names: Vec<_> = missing.iter().map(|package| package.name).collect();
        println!("to install: sudo apt-get install --no-install-recommends {}", names.join(" "));
    }
}

/// The owner of `/proc/self` is the user this process runs as.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn is_debian() -> bool {
    Path::new("/usr/bin/apt-get").is_file()
}

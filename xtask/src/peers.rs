//! `cargo xtask peers`: the Debian packages that tests need.
//!
//! As root, what is missing is installed in one `apt-get` call. Otherwise, or when that fails, the
//! steps that will be skipped are named: a machine without the packages can still run the rest.

use crate::exec::{self, Outcome};
use crate::packages::{self, Package};

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
    let apt = || {
        let mut apt = exec::program("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    exec::run(apt().args(["update", "-qq"]))?;
    let names = missing.iter().map(|package| package.name);
    exec::run(apt().args(["install", "-y", "-qq", "--no-install-recommends"]).args(names))
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
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn is_debian() -> bool {
    std::path::Path::new("/usr/bin/apt-get").is_file()
}

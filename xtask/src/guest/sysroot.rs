//! Debian packages for the guest, unpacked and not installed: the host needs neither another kernel
//! nor the services of open-iscsi.

use std::path::{Path, PathBuf};

use crate::exec::{self, Outcome};

/// What the guest runs. The libraries are those of open-iscsi that a small host lacks.
const PACKAGES: [&str; 7] = [
    "busybox-static",
    "open-iscsi",
    "libopeniscsiusr",
    "libisns0",
    "libkmod2",
    "libmount1",
    "libssl3",
];
/// Depends on the newest kernel.
const KERNEL: &str = "linux-image-amd64";

/// A folder with the unpacked packages, and the version of the kernel in it.
pub(super) struct Sysroot {
    pub(super) path: PathBuf,
    pub(super) kernel: String,
}

/// Fetches and unpacks what is not there already.
pub(super) fn sysroot(folder: &Path) -> Outcome<Sysroot> {
    let path = folder.join("sysroot");
    if let Some(kernel) = unpacked(&path) {
        return Ok(Sysroot { path, kernel });
    }
    fetch(folder, &path)?;
    let kernel = unpacked(&path).ok_or_else(|| format!("{KERNEL} brought no kernel"))?;
    Ok(Sysroot { path, kernel })
}

/// The stamp that is written when everything is there: the kernel's version.
fn unpacked(path: &Path) -> Option<String> {
    std::fs::read_to_string(path.join("complete")).ok()
}

fn fetch(folder: &Path, path: &Path) -> Outcome {
    let mut depends = exec::program("apt-cache");
    let text = exec::output(depends.args(["depends", KERNEL]))?;
    let image = text.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    let image = image.ok_or_else(|| format!("{KERNEL} is not known; run apt-get update"))?;
    let debs = folder.join("debs");
    make_empty(&debs)?;
    make_empty(path)?;
    let mut download = exec::program("apt-get");
    exec::run(download.current_dir(&debs).args(["download", "-qq", image]).args(PACKAGES))?;
    for entry in std::fs::read_dir(&debs).map_err(|e| format!("{}: {e}", debs.display()))? {
        let deb = entry.map_err(|e| format!("{}: {e}", debs.display()))?.path();
        exec::run(exec::program("dpkg-deb").arg("-x").arg(deb).arg(path))?;
    }
    let version = image.trim_start_matches("linux-image-");
    std::fs::write(path.join("complete"), version)
        .map_err(|e| format!("{}: {e}", path.display()))?;
    std::fs::remove_dir_all(&debs).map_err(|e| format!("{}: {e}", debs.display()))
}

fn make_empty(path: &Path) -> Outcome {
    let failed = |e| format!("{}: {e}", path.display());
    if path.exists() {
        std::fs::remove_dir_all(path).map_err(failed)?;
    }
    std::fs::create_dir_all(path).map_err(failed)
}

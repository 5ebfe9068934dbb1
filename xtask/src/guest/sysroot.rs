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

/// Written when everything is unpacked: the kernel's version.
const STAMP: &str = "complete";

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

fn unpacked(path: &Path) -> Option<String> {
    std::fs::read_to_string(path.join(STAMP)).ok()
}

fn fetch(folder: &Path, path: &Path) -> Outcome {
    let debs = folder.join("debs");
    make_empty(&debs)?;
    make_empty(path)?;
    let image = download(&debs).or_else(|_| {
        // The lists of packages may be missing, or older than what the mirror holds.
        exec::run(exec::program("apt-get").args(["update", "-qq"]))?;
        download(&debs)
    })?;
    for entry in std::fs::read_dir(&debs).map_err(|e| format!("{}: {e}", debs.display()))? {
        let deb = entry.map_err(|e| format!("{}: {e}", debs.display()))?.path();
        exec::run(exec::program("dpkg-deb").arg("-x").arg(deb).arg(path))?;
    }
    let version = image.trim_start_matches("linux-image-");
    let stamp = path.join(STAMP);
    std::fs::write(&stamp, version).map_err(|e| format!("{}: {e}", stamp.display()))?;
    std::fs::remove_dir_all(&debs).map_err(|e| format!("{}: {e}", debs.display()))
}

/// Fetches the packages, and returns the name of the kernel's.
fn download(debs: &Path) -> Outcome<String> {
    let text = exec::output(exec::program("apt-cache").args(["depends", KERNEL]))?;
    let image = text.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    let image = image.ok_or_else(|| format!("{KERNEL} is not known to apt"))?;
    let mut download = exec::program("apt-get");
    // The folder is root's: apt's own user could not write into it.
    download.args(["-o", "APT::Sandbox::User=root", "download", "-qq", image]).args(PACKAGES);
    exec::run(download.current_dir(debs))?;
    Ok(image.to_owned())
}

fn make_empty(path: &Path) -> Outcome {
    let failed = |e| format!("{}: {e}", path.display());
    if path.exists() {
        std::fs::remove_dir_all(path).map_err(failed)?;
    }
    std::fs::create_dir_all(path).map_err(failed)
}

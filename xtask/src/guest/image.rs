//! What a guest consists of: busybox, modules, programs, files and a script, as one archive.

use std::path::{Path, PathBuf};

use crate::exec::Outcome;

use super::modules::Modules;
use super::newc::Archive;
use super::sysroot::Sysroot;
use super::{kernel, libraries, sysroot};

/// The first program of the guest. The last lines hand the script's status to QEMU.
const INIT: &str = include_str!("init.sh");
/// Modules of every guest: the network card, and the file system by which LIO is set up.
const MODULES: [&str; 3] = ["virtio_pci", "virtio_net", "configfs"];
/// How names of archives end, after the process that has written them.
const SUFFIX: &str = ".cpio";
/// Folders that programs expect.
const FOLDERS: [&str; 10] = [
    "proc",
    "sys",
    "dev",
    "tmp",
    "run/lock/iscsi",
    "var/lib",
    "etc/iscsi",
    "etc/target/pr",
    "root",
    "mnt",
];

/// What a guest is to do, and with what.
pub(super) struct Recipe<'a> {
    /// Names the files of this guest.
    pub(super) name: &'a str,
    /// The guest's memory; what it consists of lies there, too.
    pub(super) memory_mib: u32,
    /// Loaded before the script starts, each after what it needs.
    pub(super) modules: &'a [&'a str],
    /// Programs of the packages, by their paths in them.
    pub(super) programs: &'a [&'a str],
    /// Programs and libraries of the host, or built on it.
    pub(super) host_programs: Vec<HostProgram>,
    /// Path and content.
    pub(super) files: Vec<(&'a str, String)>,
    /// Run by busybox's shell; its exit status is the guest's.
    pub(super) script: String,
}

/// A program that no package brings: where it lies here, and where it belongs there.
pub(super) struct HostProgram {
    pub(super) here: PathBuf,
    pub(super) there: String,
}

/// Memory of a guest that needs no more than others, in MiB.
pub(super) const MEMORY_MIB: u32 = 384;

/// Files that QEMU boots, and the memory that they need.
pub(super) struct Image {
    pub(super) memory_mib: u32,
    pub(super) kernel: PathBuf,
    pub(super) initrd: PathBuf,
}

/// Puts a guest together.
pub(super) fn build(recipe: &Recipe<'_>) -> Outcome<Image> {
    let folder = super::folder()?;
    let sysroot = sysroot::sysroot(&folder)?;
    let mut archive = Archive::default();
    FOLDERS.iter().for_each(|path| archive.folder(path));
    // The kernel opens it before anything is mounted.
    archive.device("dev/console", 5, 1);
    archive.program("init", INIT.into());
    archive.file("script.sh", recipe.script.as_str());
    archive.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    recipe.files.iter().for_each(|(path, text)| archive.file(path, text.as_str()));
    add_program(&mut archive, "bin/busybox", &sysroot)?;
    archive.link("bin/sh", "busybox");
    recipe.programs.iter().try_for_each(|path| add_program(&mut archive, path, &sysroot))?;
    for program in &recipe.host_programs {
        add(&mut archive, &program.here, &program.there, &sysroot)?;
    }
    add_modules(&mut archive, recipe.modules, &sysroot)?;
    remove_stale(&folder);
    let initrd = folder.join(format!("{}-{}{SUFFIX}", recipe.name, std::process::id()));
    std::fs::write(&initrd, archive.bytes()).map_err(|e| format!("{}: {e}", initrd.display()))?;
    let kernel = kernel::vmlinux(&folder, &sysroot)?;
    Ok(Image { memory_mib: recipe.memory_mib, kernel, initrd })
}

/// Archives that a killed process has left.
fn remove_stale(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_suffix(SUFFIX).and_then(|stem| stem.rsplit('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _gone = std::fs::remove_file(entry.path());
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // The kernel is kept for the next guest.
        let _gone = std::fs::remove_file(&self.initrd);
    }
}

fn add_program(archive: &mut Archive, path: &str, sysroot: &Sysroot) -> Outcome {
    add(archive, &sysroot.path.join(path), path, sysroot)
}

/// A program with its libraries.
fn add(archive: &mut Archive, here: &Path, there: &str, sysroot: &Sysroot) -> Outcome {
    archive.program(there, read(here)?);
    for (library, there) in libraries::of(here, &sysroot.path)? {
        archive.program(&there, read(&library)?);
    }
    Ok(())
}

fn add_modules(archive: &mut Archive, names: &[&str], sysroot: &Sysroot) -> Outcome {
    let names: Vec<_> = MODULES.iter().chain(names).copied().collect();
    let mut list = String::new();
    for (name, bytes) in Modules::of(sysroot)?.load_order(&names)? {
        archive.file(&format!("modules/{name}.ko"), bytes);
        list += &format!("{name}\n");
    }
    archive.file("modules/order", list);
    Ok(())
}

fn read(path: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

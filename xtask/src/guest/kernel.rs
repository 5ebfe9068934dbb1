//! The kernel as an uncompressed ELF file, which an emulated processor boots in half the time.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::exec::{self, Outcome};

use super::sysroot::Sysroot;

/// How an xz stream starts.
const XZ: &[u8] = b"\xfd7zXZ\0";
const ELF: &[u8] = b"\x7fELF";

/// Takes the ELF file out of the boot image, once.
pub(super) fn vmlinux(folder: &Path, sysroot: &Sysroot) -> Outcome<PathBuf> {
    let path = folder.join(format!("vmlinux-{}", sysroot.kernel));
    if path.is_file() {
        return Ok(path);
    }
    let image = sysroot.path.join(format!("boot/vmlinuz-{}", sysroot.kernel));
    let bytes = std::fs::read(&image).map_err(|e| format!("{}: {e}", image.display()))?;
    let unpacked = path.with_extension("part");
    for offset in positions(&bytes, XZ) {
        if unpack(&image, offset, &unpacked)? {
            std::fs::rename(&unpacked, &path).map_err(|e| format!("{}: {e}", path.display()))?;
            return Ok(path);
        }
    }
    Err(format!("{}: holds no kernel packed by xz", image.display()))
}

fn positions<'a>(bytes: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = u64> + 'a {
    let windows = bytes.windows(needle.len()).enumerate();
    windows.filter(move |(_, window)| *window == needle).map(|(at, _)| at as u64)
}

/// Whether an ELF file came out. What follows the stream in the image is no error of ours.
fn unpack(image: &Path, offset: u64, to: &Path) -> Outcome<bool> {
    let failed = |e| format!("{}: {e}", image.display());
    let mut input = File::open(image).map_err(failed)?;
    input.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let output = File::create(to).map_err(failed)?;
    let mut xz = exec::program("xz");
    xz.args(["-dc", "--single-stream", "-qq"]).stdin(input).stdout(output);
    xz.status().map_err(|e| format!("xz: {e}"))?;
    Ok(std::fs::read(to).map_err(failed)?.starts_with(ELF))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_of_a_stream_is_tried() {
        let found: Vec<_> = positions(b"..ab..abab", b"ab").collect();
        assert_eq!(found, [2, 6, 8]);
    }
}

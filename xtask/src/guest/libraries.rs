//! The shared libraries of a program, found by the dynamic linker among those of the packages.

use std::path::{Path, PathBuf};

use crate::exec::{self, Outcome};

/// Where Debian's packages put libraries.
const FOLDERS: [&str; 2] = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];

/// Library files for the guest: where they lie here, and where they belong there. A program without
/// any, a static one, has an empty list.
pub(super) fn of(program: &Path, sysroot: &Path) -> Outcome<Vec<(PathBuf, String)>> {
    let path = FOLDERS.map(|folder| sysroot.join(folder).display().to_string()).join(":");
    let mut ldd = exec::program("ldd");
    let output = ldd.arg(program).env("LD_LIBRARY_PATH", path).output();
    let output = output.map_err(|e| format!("ldd: {e}"))?;
    found(&String::from_utf8_lossy(&output.stdout))
        .map_err(|library| format!("{} needs {library}, which is not here", program.display()))
}

/// Reads `name => /path (0x…)` and `/lib64/ld-linux… (0x…)`; the error is what was not found.
fn found(ldd: &str) -> Result<Vec<(PathBuf, String)>, String> {
    let mut libraries = Vec::new();
    for line in ldd.lines().map(str::trim) {
        let (name, place) = line.split_once(" => ").unwrap_or(("", line));
        if place == "not found" {
            return Err(name.to_owned());
        }
        let Some(path) = place.split(" (0x").next().filter(|path| path.starts_with('/')) else {
            continue;
        };
        // The linker itself is named by its full path, the others by their names alone.
        let there = match name {
            "" => path.to_owned(),
            name => format!("lib/x86_64-linux-gnu/{name}"),
        };
        libraries.push((PathBuf::from(path), there));
    }
    Ok(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_come_with_their_place_in_the_guest() {
        let text = "\tlinux-vdso.so.1 (0x7f)\n\tlibc.so.6 => /lib/libc.so.6 (0x7f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
        let there: Vec<_> = found(text).unwrap().into_iter().map(|(_, there)| there).collect();
        assert_eq!(there, ["lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
    }

    #[test]
    fn a_library_that_is_not_there_is_named() {
        assert_eq!(found("\tlibx.so.1 => not found\n"), Err("libx.so.1".into()));
        assert_eq!(found("\tnot a dynamic executable\n"), Ok(vec![]));
    }
}

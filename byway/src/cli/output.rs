//! Where results go: the standard output, or files that are whole or not there.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use byway_bench::report::{check_place, write_whole};

use super::failure::Failure;

/// Writes to the standard output. A reader that has gone away is no failure of ours.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("standard output: {error}; free some room there")))
        }
        _ => Ok(()),
    }
}

/// True for `-`, the standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Checks before anything runs that files can be written where they are wanted.
pub(crate) fn check_places(paths: &[&Option<PathBuf>]) -> Result<(), Failure> {
    for path in paths.iter().filter_map(|path| path.as_deref()) {
        if !is_stdout(path) {
            check_place(path)?;
        }
    }
    Ok(())
}

/// Writes `text` to a file or, for `-`, to the standard output.
pub(crate) fn write(path: &Path, text: &[u8]) -> Result<(), Failure> {
    if is_stdout(path) {
        return print(&String::from_utf8_lossy(text));
    }
    Ok(write_whole(path, text)?)
}

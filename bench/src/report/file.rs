//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use byway_engine::SetupError;

/// Writes `bytes` to `path`: to a temporary file beside it, synced, then renamed.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), SetupError> {
    let beside = beside(path);
    let written = write_synced(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        // The error that counts is the one above; the file may not even exist.
        let _removed = fs::remove_file(&beside);
        failure(path, &error)
    })
}

/// Checks that [`write_whole`] could write to `path`, so that a long run is not for nothing.
pub fn check_place(path: &Path) -> Result<(), SetupError> {
    let beside = beside(path);
    let tried = if path.is_dir() {
        Err(std::io::ErrorKind::IsADirectory.into())
    } else {
        File::create(&beside).and_then(|_| fs::remove_file(&beside))
    };
    tried.map_err(|error| failure(path, &error))
}

fn failure(path: &Path, error: &std::io::Error) -> SetupError {
    let remedy = "name a file in a folder with room that you may write to";
    SetupError::new(path.display().to_string(), error.to_string(), remedy)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_file_that_cannot_be_written() {
        let folder = std::env::temp_dir().join(format!("byway-file-{}", std::process::id()));
        fs::create_dir_all(folder.join("taken")).unwrap();
        write_whole(&folder.join("a"), b"whole").unwrap();
        assert_eq!(fs::read(folder.join("a")).unwrap(), b"whole");
        let error = write_whole(&folder.join("taken"), b"x").unwrap_err().to_string();
        assert!(error.contains("taken"), "{error}");
        let left = fs::read_dir(&folder).unwrap().count();
        assert_eq!(left, 2, "the folder and the whole file, no part");
        assert!(write_whole(&folder.join("no/such"), b"x").is_err());
        assert!(check_place(&folder.join("no/such")).is_err());
        assert!(check_place(&folder.join("taken")).is_err());
        check_place(&folder.join("a")).unwrap();
        assert_eq!(fs::read(folder.join("a")).unwrap(), b"whole", "looking changes nothing");
        fs::remove_dir_all(&folder).unwrap();
    }
}

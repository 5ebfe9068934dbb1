//! A folder for the time of the demo.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use byway::{OpenOptions, Uri, open_with};

use crate::cli::failure::Failure;

/// The folder; it goes with its value.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// A new folder in `parent`, or where temporary files are kept.
    pub(super) fn new(parent: Option<&Path>) -> Result<Folder, Failure> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let path = parent.join(format!("byway-demo-{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| {
            let path = path.display();
            Failure::failed(format!("{path}: {error}; name a folder with --folder"))
        })?;
        Ok(Folder(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// A sparse file of `size` bytes, as the URI that this machine can open it by.
    pub(super) fn disk(&self, size: u64) -> Result<String, Failure> {
        let path = self.0.join("disk.img");
        let made = File::create_new(&path).and_then(|file| file.set_len(size));
        made.map_err(|error| {
            Failure::failed(format!("{}: {error}; name another --folder", path.display()))
        })?;
        let uri = |direct| Uri::File { path: path.clone(), direct, read_only: false };
        // Some file systems in memory have no direct I/O.
        match open_with(&uri(true), OpenOptions::default()) {
            Ok(_) => Ok(uri(true).to_string()),
            Err(_) => Ok(uri(false).to_string()),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "a folder is left behind");
        }
    }
}

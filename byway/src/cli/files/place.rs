//! A place within a volume that a command works on.

use std::future::Future;
use std::os::unix::ffi::OsStrExt;

use byway::volume::{Home, MountedVolume, setup};
use byway::{FsUri, FsVolume, Uri};
use byway_fs::names::New;
use byway_fs::store::FsError;

use crate::cli::failure::Failure;

/// A volume that is mounted for a command, and a path in it.
pub(crate) struct Within {
    pub(crate) volume: MountedVolume,
    pub(crate) uri: FsUri,
    pub(crate) path: Vec<u8>,
}

impl Within {
    /// The place of a URI; none where the word names something else.
    pub(crate) fn parse(word: &str) -> Result<Option<FsUri>, Failure> {
        if !word.starts_with("fs:") {
            return Ok(None);
        }
        match word.parse()? {
            Uri::Fs(uri) => Ok(Some(*uri)),
            _ => Ok(None),
        }
    }

    /// Mounts the volume of a URI.
    pub(crate) fn open(word: &str, read_only: bool) -> Result<Within, Failure> {
        let remedy = "write fs:[DEVICE-URI]/path";
        let uri = Within::parse(word)?.ok_or_else(|| {
            Failure::usage(format!("'{word}': not a place within a volume; {remedy}"))
        })?;
        Within::mount(uri, read_only)
    }

    pub(crate) fn mount(uri: FsUri, read_only: bool) -> Result<Within, Failure> {
        let FsVolume::Device(device) = &uri.volume else {
            let remedy = "name its device: fs:[DEVICE-URI]/path";
            return Err(Failure::usage(format!("{uri}: only a daemon knows its name; {remedy}")));
        };
        let volume = MountedVolume::mount(device, read_only)?;
        let path = uri.path.as_os_str().as_bytes().to_vec();
        Ok(Within { volume, uri, path })
    }

    /// Runs `work` on the volume's core; a failure names the place.
    pub(crate) fn run<T, F>(
        &self,
        work: impl FnOnce(Home, Vec<u8>) -> F + Send + 'static,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, FsError>> + 'static,
    {
        let path = self.path.clone();
        self.volume.run(move |home| work(home, path)).map_err(|error| self.failed(&error))
    }

    /// Ends the use of the volume; what was changed is on its device then.
    pub(crate) fn close(self) -> Result<(), Failure> {
        let Within { volume, uri, .. } = self;
        volume.close().map_err(|error| setup(&uri, &error).into())
    }

    /// A failure at this place.
    pub(crate) fn failed(&self, error: &FsError) -> Failure {
        setup(&self.uri, error).into()
    }
}

/// Whose new files and folders are: this user's.
pub(crate) fn own(mode: u32) -> New {
    let (uid, gid) = crate::cli::fs::own_ids();
    New { mode, uid, gid }
}

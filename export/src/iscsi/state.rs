//! Where reservations are kept that survive the loss of power (APTPL, SPC-4 section 5.13.5).
//!
//! Bytes under the number of a logical unit; what they mean is the business of the reservations.
//! Saving is a future, so that a simulation can put its own disk behind it.

use std::fs::{self, File};
use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;

use byway_engine::error::SetupError;

/// What saving ends with: nothing, or why the bytes are not safe.
pub type Saving = Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// Keeps bytes over a power loss.
pub trait StateStore {
    /// What was saved last for this logical unit; nothing where nothing was.
    ///
    /// # Errors
    /// Where it cannot be read, by the thing and the remedy.
    fn load(&self, unit: u32) -> Result<Option<Vec<u8>>, SetupError>;

    /// Replaces what is saved. When the future ends well, the bytes survive a power loss.
    fn save(&self, unit: u32, bytes: Vec<u8>) -> Saving;
}

/// Files in a folder, one per logical unit: written beside, synced, renamed. Saving blocks the core
/// for that time; reservations change rarely.
#[derive(Clone, Debug)]
pub struct StateFolder {
    folder: PathBuf,
}

impl StateFolder {
    /// Keeps state in `folder`, which is there.
    ///
    /// # Errors
    /// Where it is no folder.
    pub fn new(folder: impl Into<PathBuf>) -> Result<StateFolder, SetupError> {
        let folder = folder.into();
        if folder.is_dir() {
            return Ok(StateFolder { folder });
        }
        let thing = folder.display().to_string();
        Err(SetupError::new(thing, "not a folder", "make it, or name another one"))
    }

    fn path(&self, unit: u32) -> PathBuf {
        self.folder.join(format!("lun-{unit}.pr"))
    }
}

impl StateStore for StateFolder {
    fn load(&self, unit: u32) -> Result<Option<Vec<u8>>, SetupError> {
        let path = self.path(unit);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let thing = path.display().to_string();
                Err(SetupError::new(thing, error.to_string(), "make the file readable"))
            }
        }
    }

    fn save(&self, unit: u32, bytes: Vec<u8>) -> Saving {
        let path = self.path(unit);
        Box::pin(async move {
            replace(&path, &bytes).map_err(|error| format!("{}: {error}", path.display()))
        })
    }
}

/// A crash leaves the old bytes or the new ones.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn ended(mut saving: Saving) -> Result<(), String> {
        match saving.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("a file is saved at once"),
        }
    }

    #[test]
    fn what_was_saved_last_is_loaded() {
        let folder = std::env::temp_dir().join(format!("byway-state-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let store = StateFolder::new(&folder).unwrap();
        assert_eq!(store.load(3).unwrap(), None);
        ended(store.save(3, vec![1, 2])).unwrap();
        ended(store.save(3, vec![3])).unwrap();
        assert_eq!(store.load(3).unwrap(), Some(vec![3]));
        assert_eq!(store.load(4).unwrap(), None);
        fs::remove_dir_all(&folder).unwrap();
        assert!(ended(store.save(3, vec![3])).is_err());
        assert!(StateFolder::new(&folder).unwrap_err().to_string().contains("folder"));
    }
}

//! The right to write to a file or block device of this host, by locks that end with their process.
//!
//! The holder has the lock of the file itself (`flock`, which is apart from the record locks that
//! QEMU takes on images of its own). Who waits shares the lock of a file beside it, `NAME.byway-want`;
//! so the holder sees that somebody waits when it cannot have that lock for itself. The text in
//! there tells who holds the right. On NFS both kinds of locks are one, so QEMU and a server on the
//! same image would refuse each other there.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use byway_engine::core::Core;
use byway_engine::error::SetupError;

use super::right::{Answer, Refused, WriteRight};

/// Between two looks at a lock that another one has, in nanoseconds.
const LOOK_NS: u64 = 5_000_000;
/// For how long the right is waited for, in nanoseconds.
const WAIT_NS: u64 = 10_000_000_000;
/// Bytes of the text about the holder that are read.
const HOLDER_LEN_MAX: u64 = 128;

/// The right to write to one file. A process has it once, however many of its cores use it: see
/// [`SharedRight`](super::SharedRight).
#[derive(Debug)]
pub struct FileRight {
    path: PathBuf,
    file: File,
    want_path: PathBuf,
    want: Mutex<Option<File>>,
    is_held: AtomicBool,
    wait_ns: u64,
}

impl FileRight {
    /// The right to write to the file at `path`; takes nothing yet.
    ///
    /// # Errors
    /// Where the file cannot be opened.
    pub fn new(path: &Path) -> Result<FileRight, SetupError> {
        let failed = |error: std::io::Error| {
            let remedy = "name a file or a block device that can be read";
            SetupError::new(path.display().to_string(), error.to_string(), remedy)
        };
        let file = File::open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        let want_path = if about.file_type().is_block_device() {
            // Nothing is left beside a device's node: its number is its name everywhere.
            PathBuf::from(format!("/run/byway-{:x}.byway-want", about.rdev()))
        } else {
            let real = path.canonicalize().map_err(failed)?;
            let mut name = real.into_os_string();
            name.push(".byway-want");
            name.into()
        };
        let path = path.to_owned();
        let (want, is_held) = (Mutex::default(), AtomicBool::new(false));
        Ok(FileRight { path, file, want_path, want, is_held, wait_ns: WAIT_NS })
    }

    /// The same, for at most `wait_ns` nanoseconds of waiting.
    #[must_use]
    pub fn with_wait(mut self, wait_ns: u64) -> FileRight {
        self.wait_ns = wait_ns;
        self
    }

    /// Opens the file that waiting is told by.
    fn open_want(&self) -> Result<(), Refused> {
        let mut own = self.want.lock().unwrap_or_else(PoisonError::into_inner);
        if own.is_some() {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let want = options.open(&self.want_path).map_err(|error| {
            let path = self.want_path.display();
            Refused(format!("{path}: {error}; the right to write is handed over by this file"))
        })?;
        *own = Some(want);
        Ok(())
    }

    /// One look: true where the right is there.
    fn try_take(&self) -> Result<bool, Refused> {
        match self.file.try_lock() {
            Ok(()) => {
                self.is_held.store(true, Ordering::Release);
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => {
                Err(Refused(format!("{}: cannot be locked ({error})", self.path.display())))
            }
        }
    }

    /// Takes the right, and waits for whoever has it, for a bounded time.
    ///
    /// # Errors
    /// Where another process keeps it, or the locks cannot be had.
    pub async fn take(&self, core: &Rc<Core>) -> Result<(), Refused> {
        self.open_want()?;
        let deadline = core.now() + self.wait_ns;
        let mut is_told = false;
        while !self.try_take()? {
            if core.now() >= deadline {
                self.end_wanting();
                return Err(self.refusal());
            }
            if !is_told {
                is_told = self.with_want(|want| want.try_lock_shared().is_ok());
            }
            core.sleep(LOOK_NS).await;
        }
        self.end_wanting();
        self.sign();
        Ok(())
    }

    fn with_want(&self, f: impl FnOnce(&File) -> bool) -> bool {
        self.want.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(f)
    }

    fn end_wanting(&self) {
        let ended = self.with_want(|want| want.unlock().is_ok());
        if !ended {
            tracing::warn!(path = %self.want_path.display(), "cannot be unlocked");
        }
    }

    /// Tells who holds the right, for the message of those who wait in vain.
    fn sign(&self) {
        let write = |want: &File| {
            let text = format!("byway, process {}", std::process::id());
            let mut want = want;
            want.set_len(0)
                .and_then(|()| want.seek(SeekFrom::Start(0)))
                .and_then(|_| want.write_all(text.as_bytes()))
                .is_ok()
        };
        self.with_want(write);
    }

    fn refusal(&self) -> Refused {
        let mut holder = String::new();
        self.with_want(|want| {
            let mut want = want;
            let read = want.seek(SeekFrom::Start(0));
            read.and_then(|_| want.take(HOLDER_LEN_MAX).read_to_string(&mut holder)).is_ok()
        });
        let holder = if holder.is_empty() { "another process" } else { holder.as_str() };
        let path = self.path.display();
        Refused(format!("{path}: {holder} has the right to write; stop its writer first"))
    }

    /// True where another process waits for the right that is held here.
    pub fn is_wanted(&self) -> bool {
        self.is_held.load(Ordering::Acquire)
            && self.with_want(|want| match want.try_lock() {
                Ok(()) => {
                    // It was ours for a moment: nobody waits.
                    want.unlock().is_err()
                }
                Err(error) => matches!(error, TryLockError::WouldBlock),
            })
    }

    /// Lets the right go, where it is held.
    pub fn release(&self) {
        if self.is_held.swap(false, Ordering::AcqRel)
            && let Err(error) = self.file.unlock()
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot be unlocked");
        }
    }
}

impl WriteRight for FileRight {
    fn acquire(self: Rc<Self>, core: Rc<Core>) -> Answer {
        Box::pin(async move { self.take(&core).await })
    }

    fn is_wanted(&self) -> bool {
        FileRight::is_wanted(self)
    }

    fn release(&self) {
        FileRight::release(self);
    }
}

#[cfg(test)]
mod tests {
    use byway_engine::core::{Core, CoreConfig};
    use byway_engine::exec::Class;
    use byway_engine::reactor::Reactor;

    use super::*;

    fn image(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("byway-right-{}-{name}", std::process::id()));
        std::fs::write(&path, [0; 512]).unwrap();
        path
    }

    fn remove(path: &Path) {
        std::fs::remove_file(path).unwrap();
        std::fs::remove_file(format!("{}.byway-want", path.display())).unwrap();
    }

    async fn acquire(right: &Rc<FileRight>, core: &Rc<Core>) -> Result<(), Refused> {
        Rc::clone(right).acquire(Rc::clone(core)).await
    }

    #[test]
    fn the_holder_sees_that_another_one_waits_and_lets_go() {
        let path = image("hand-over");
        let here = Rc::new(FileRight::new(&path).unwrap());
        let there = Rc::new(FileRight::new(&path).unwrap());
        let reactor = Reactor::new(&CoreConfig::default()).unwrap();
        reactor.run(|core| async move {
            acquire(&here, &core).await.unwrap();
            assert!(!here.is_wanted());
            let waiting = Rc::clone(&there).acquire(Rc::clone(&core));
            let waiting = core.spawn(Class::Foreground, "waits", waiting);
            while !here.is_wanted() {
                core.sleep(1_000_000).await;
            }
            here.release();
            assert_eq!(waiting.await, Ok(Ok(())));
            assert!(!there.is_wanted(), "nobody waits any more");
        });
        remove(&path);
    }

    #[test]
    fn who_waits_in_vain_is_told_by_whom_the_right_is_held() {
        let path = image("refused");
        let here = Rc::new(FileRight::new(&path).unwrap());
        let there = Rc::new(FileRight::new(&path).unwrap().with_wait(20_000_000));
        let reactor = Reactor::new(&CoreConfig::default()).unwrap();
        reactor.run(|core| async move {
            acquire(&here, &core).await.unwrap();
            let refused = acquire(&there, &core).await.unwrap_err().to_string();
            let holder = format!("process {} has the right", std::process::id());
            assert!(refused.contains(&holder) && refused.contains("refused"), "{refused}");
            assert!(!here.is_wanted());
        });
        remove(&path);
    }
}

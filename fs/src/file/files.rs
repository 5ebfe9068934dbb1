//! The open files of a volume: one home for each, however often it is opened.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::mpsc::sync_channel;
use std::sync::{self, Arc};
use std::task::{Poll, Waker};

use byway_engine::block::{Capabilities, DeviceInfo};
use byway_engine::exec::Class;

use super::File;
use super::errand::Errand;
use super::ground::Ground;
use super::message::TO_HOME_MAX;
use super::policy::Policy;
use super::pool::Pool;
use super::shared::{Facts, Shared};
use super::steward::Home;
use crate::cache::CacheCounts;
use crate::format::{BLOCK_LEN, FLAG_CACHE_READ, FLAG_VM_PROFILE, MODE_REGULAR, MODE_TYPE};
use crate::inode::{self, InodeRef};
use crate::store::{FsError, Op};
use crate::volume::{AfterFlush, SyncHook, Volume};

/// How a file is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// What messages call it: its URI.
    pub name: String,
    /// Writes are refused.
    pub read_only: bool,
}

/// Bytes of memory of one core's cache of file data, where nothing else is said: 64 MiB.
pub const CACHE_LEN: usize = 64 << 20;

/// How the files of a volume use memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilesOptions {
    /// The most bytes that the cache of one core takes, its index included. It is there on cores
    /// with channels of files whose policy is [`Policy::Read`]; at least some 2 MiB.
    pub cache_len: usize,
}

impl Default for FilesOptions {
    fn default() -> FilesOptions {
        FilesOptions { cache_len: CACHE_LEN }
    }
}

/// The files of one volume, on its core. Clones name the same.
#[derive(Clone)]
pub struct Files(Rc<Inner>);

struct Inner {
    ground: Ground,
    pool: Arc<Pool>,
    hook: RefCell<Option<Rc<dyn SyncHook>>>,
    /// By their inode; an entry goes when the home has ended.
    open: RefCell<BTreeMap<u64, sync::Weak<Shared>>>,
    /// Who waits for the end of a home.
    waiting: RefCell<Vec<Waker>>,
}

impl Files {
    /// The files of a volume. There is one such table for each mounted volume: a file that is opened
    /// through two has two homes, which do not know each other.
    pub fn new(volume: &Volume) -> Files {
        Files::with_options(volume, FilesOptions::default())
    }

    /// The same, with memory of another size.
    pub fn with_options(volume: &Volume, options: FilesOptions) -> Files {
        let pool = Pool::new(options.cache_len);
        let (open, waiting, hook) = (RefCell::default(), RefCell::default(), RefCell::default());
        let ground = Ground::new(volume.clone());
        let files = Files(Rc::new(Inner { ground, pool, hook, open, waiting }));
        let hook: Rc<dyn SyncHook> = Rc::new(Hook(Rc::downgrade(&files.0)));
        volume.add_hook(Rc::clone(&hook));
        *files.0.hook.borrow_mut() = Some(hook);
        files
    }

    fn volume(&self) -> &Volume {
        self.0.ground.volume()
    }

    /// Opens a regular file.
    pub async fn open(&self, at: InodeRef, options: FileOptions) -> Result<File, FsError> {
        let read_only = options.read_only;
        self.volume().open_inode(at.ino);
        let opened = self.open_shared(at, options).await;
        if opened.is_err() {
            self.volume().close_inode(at.ino);
        }
        opened.map(|shared| File { shared, read_only })
    }

    async fn open_shared(
        &self,
        at: InodeRef,
        options: FileOptions,
    ) -> Result<Arc<Shared>, FsError> {
        let read = |op: &mut Op<'_>| {
            let core = *inode::read(op, at)?.core();
            match core.mode.get() & MODE_TYPE {
                MODE_REGULAR => Ok((core.size.get(), core.flags.get())),
                _ => Err(FsError::Invalid("not a regular file").into()),
            }
        };
        let (size, flags) = self.0.ground.run(read).await?;
        match self.known(at).await {
            // One home keeps the inode in use once.
            Some(shared) => {
                self.volume().close_inode(at.ino);
                Ok(shared)
            }
            None => Ok(self.start(at, size, flags, options)),
        }
    }

    /// The file where it is open; none once no home of it is left.
    async fn known(&self, at: InodeRef) -> Option<Arc<Shared>> {
        poll_fn(|cx| match self.0.open.borrow().get(&at.ino).map(sync::Weak::upgrade) {
            None => Poll::Ready(None),
            Some(Some(shared)) => Poll::Ready(Some(shared)),
            Some(None) => {
                self.0.waiting.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    fn start(&self, at: InodeRef, size: u64, flags: u32, options: FileOptions) -> Arc<Shared> {
        let is_cached = flags & FLAG_CACHE_READ != 0;
        let facts = Facts::new(size, if is_cached { Policy::Read } else { Policy::None });
        let (to_home, inbox) = sync_channel(TO_HOME_MAX);
        let info = self.info(options.name);
        let (device, pool) = (Arc::clone(self.volume().device()), Arc::clone(&self.0.pool));
        let shared = Arc::new(Shared::new(at, Arc::clone(&facts), to_home, device, info, pool));
        self.0.open.borrow_mut().insert(at.ino, Arc::downgrade(&shared));
        let is_vm = flags & FLAG_VM_PROFILE != 0;
        let home = Home::new(self.0.ground.clone(), facts, at, is_vm, inbox);
        let inner = Rc::clone(&self.0);
        let serve = async move {
            home.serve().await;
            inner.ended(at);
        };
        drop(self.volume().core().spawn(Class::Foreground, "file", serve));
        shared
    }

    /// Waits until every file that was closed has put away what it had in memory, and gives the
    /// volume's reserve back. Files that are open stay so.
    pub async fn close(&self) -> Result<(), FsError> {
        poll_fn(|cx| {
            let open = self.0.open.borrow();
            if open.values().all(|shared| shared.strong_count() > 0) {
                return Poll::Ready(());
            }
            self.0.waiting.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
        if let Some(hook) = self.0.hook.borrow_mut().take() {
            self.volume().remove_hook(&hook);
        }
        self.0.ground.release_reserve().await
    }

    /// What the caches of all cores did and hold.
    pub fn cache_counts(&self) -> CacheCounts {
        self.0.pool.counts()
    }

    /// The files that are open now.
    pub fn open_files(&self) -> Vec<File> {
        let open = self.0.open.borrow();
        let alive = open.values().filter_map(sync::Weak::upgrade);
        alive.map(|shared| File { shared, read_only: false }).collect()
    }

    /// The device as a file of it appears.
    fn info(&self, name: String) -> DeviceInfo {
        let info = self.volume().device().info();
        DeviceInfo {
            name,
            size: 0,
            atomic_len: info.atomic_len.min(BLOCK_LEN as u32),
            optimal_len: info.optimal_len.max(BLOCK_LEN as u32),
            can: Capabilities {
                fua: info.can.fua,
                volatile_cache: true,
                discard: true,
                write_zeroes: true,
                compare_and_write: false,
                block_status: true,
                reservations: false,
            },
            ..info
        }
    }
}

impl Inner {
    fn ended(&self, at: InodeRef) {
        self.open.borrow_mut().remove(&at.ino);
        self.ground.volume().close_inode(at.ino);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }
}

/// Lets a sync of the volume look after what files have written.
struct Hook(Weak<Inner>);

impl SyncHook for Hook {
    fn gather(&self) -> Option<AfterFlush> {
        let files = Files(self.0.upgrade()?);
        let open = files.open_files();
        let unsettled = open.into_iter().filter(|file| !file.shared.is_settled());
        let unsettled: Vec<File> = unsettled.collect();
        if unsettled.is_empty() {
            return None;
        }
        let convert = async move {
            for file in unsettled {
                file.errand(Errand::Convert).await?;
            }
            Ok(())
        };
        Some(Box::new(move |_| Box::pin(convert)))
    }
}

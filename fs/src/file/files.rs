//! The open files of a volume: one home for each, however often it is opened.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};

use byway_engine::block::{BlockDevice, Capabilities, DeviceInfo};
use byway_engine::core::Core;
use byway_engine::exec::Class;

use super::File;
use super::ground::Ground;
use super::home::Home;
use super::message::TO_HOME_MAX;
use super::shared::{Facts, Shared};
use crate::format::{BLOCK_LEN, FLAG_VM_PROFILE, MODE_REGULAR, MODE_TYPE};
use crate::inode::{self, InodeRef};
use crate::store::{FsError, Op};

/// How a file is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// What messages call it: its URI.
    pub name: String,
    /// Writes are refused.
    pub read_only: bool,
}

/// The files of one volume, on its core. Clones name the same.
#[derive(Clone)]
pub struct Files(Rc<Inner>);

struct Inner {
    core: Rc<Core>,
    ground: Ground,
    device: Arc<dyn BlockDevice>,
    /// By their inode; an entry goes when the home has ended.
    open: RefCell<BTreeMap<u64, Weak<Shared>>>,
    /// Who waits for the end of a home.
    waiting: RefCell<Vec<Waker>>,
}

impl Files {
    pub(super) fn new(core: &Rc<Core>, ground: Ground, device: Arc<dyn BlockDevice>) -> Files {
        let (open, waiting) = (RefCell::default(), RefCell::default());
        Files(Rc::new(Inner { core: Rc::clone(core), ground, device, open, waiting }))
    }

    /// Opens a regular file.
    pub async fn open(&self, at: InodeRef, options: FileOptions) -> Result<File, FsError> {
        let read_only = options.read_only;
        self.0.ground.open_inode(at.ino);
        let opened = self.open_shared(at, options).await;
        if opened.is_err() {
            self.0.ground.close_inode(at.ino);
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
                self.0.ground.close_inode(at.ino);
                Ok(shared)
            }
            None => Ok(self.start(at, size, flags, options)),
        }
    }

    /// The file where it is open; none once no home of it is left.
    async fn known(&self, at: InodeRef) -> Option<Arc<Shared>> {
        poll_fn(|cx| match self.0.open.borrow().get(&at.ino).map(Weak::upgrade) {
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
        let facts = Facts::new(size);
        let (to_home, inbox) = sync_channel(TO_HOME_MAX);
        let info = self.info(options.name);
        let device = Arc::clone(&self.0.device);
        let shared = Arc::new(Shared::new(at, Arc::clone(&facts), to_home, device, info));
        self.0.open.borrow_mut().insert(at.ino, Arc::downgrade(&shared));
        let is_vm = flags & FLAG_VM_PROFILE != 0;
        let home = Home::new(self.0.ground.clone(), facts, at, is_vm, inbox);
        let inner = Rc::clone(&self.0);
        let serve = async move {
            home.serve().await;
            inner.ended(at);
        };
        drop(self.0.core.spawn(Class::Foreground, "file", serve));
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
        self.0.ground.release_reserve().await
    }

    /// The files that are open now.
    pub fn open_files(&self) -> Vec<File> {
        let open = self.0.open.borrow();
        let alive = open.values().filter_map(Weak::upgrade);
        alive.map(|shared| File { shared, read_only: false }).collect()
    }

    /// The device as a file of it appears.
    fn info(&self, name: String) -> DeviceInfo {
        let info = self.0.device.info();
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
        self.ground.close_inode(at.ino);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }
}

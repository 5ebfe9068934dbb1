//! A volume with files, on a core without a kernel.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::api::Disk;
use byway_engine::block::mem::MemDevice;
use byway_engine::block::wrap::{Stats, StatsHandle};
use byway_engine::block::{BlockDevice, Completion, Io, Op};
use byway_engine::core::Core;
use byway_engine::exec::Class;

use super::super::ground::Ground;
use super::super::{File, FileOptions, Files};
use crate::format::Geometry;
use crate::inode::InodeRef;
use crate::names::{self, New};
use crate::space;
use crate::store::{self, Memory};

pub(super) const BLOCK: u64 = 4096;

/// The volume.
pub(super) struct Lab {
    pub(super) core: Rc<Core>,
    pub(super) files: Files,
    pub(super) ground: Ground,
    pub(super) memory: Rc<RefCell<Memory>>,
    pub(super) device: StatsHandle,
    root: InodeRef,
}

impl Lab {
    pub(super) fn new() -> Lab {
        let geometry =
            Geometry { blocks: 1 << 16, group_blocks: 1 << 14, journal_blocks: 256, journals: 1 };
        let mut memory = space::tests::volume(geometry);
        memory.store().set_dir_hash_key([3; 16]);
        let root = memory.run(make_root).unwrap();
        memory.commit();
        let memory = Rc::new(RefCell::new(memory));
        let stats = Stats::new(Arc::new(MemDevice::new(geometry.blocks * BLOCK).unwrap()));
        let counts = stats.handle();
        let device: Arc<dyn BlockDevice> = Arc::new(stats);
        let core = Core::standalone().unwrap();
        let disk = Disk::open(&core, &*device).unwrap();
        let ground = Ground::new(disk, Rc::clone(&memory));
        let files = Files::new(&core, ground.clone(), device);
        Lab { core, files, ground, memory, device: counts, root }
    }

    /// Runs a future to its end.
    pub(super) fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        let task = self.core.spawn(Class::Foreground, "test", future);
        for _ in 0..1_000_000 {
            if let Some(value) = task.try_take() {
                return value;
            }
            self.core.turn(false);
        }
        panic!("the task does not end");
    }

    /// A new file of so many bytes.
    pub(super) fn file(&self, name: &str, size: u64) -> File {
        let name = name.as_bytes().to_vec();
        let root = self.root;
        let new = New { mode: 0o644, uid: 0, gid: 0 };
        let at =
            self.memory.borrow_mut().run(|op| names::create(op, root, &name, new, true)).unwrap();
        let file = self.open(at.at);
        let grown = file.clone();
        self.run(async move { grown.truncate(size).await }).unwrap();
        file
    }

    pub(super) fn open(&self, at: InodeRef) -> File {
        let files = self.files.clone();
        let options = FileOptions { name: "fs:test".into(), ..FileOptions::default() };
        self.run(async move { files.open(at, options).await }).unwrap()
    }

    /// An orphan that a file can be cloned to.
    pub(super) fn orphan(&self) -> InodeRef {
        let (root, new) = (self.root, New { mode: 0o644, uid: 0, gid: 0 });
        self.memory.borrow_mut().run(|op| names::create_orphan(op, root, new)).unwrap()
    }

    pub(super) fn disk(&self, file: &File) -> Disk {
        Disk::open(&self.core, file).unwrap()
    }

    pub(super) fn commits(&self) -> u64 {
        self.ground.commits()
    }

    /// Requests of the device that succeeded.
    pub(super) fn ios(&self, op: Op) -> u64 {
        self.device.snapshot().get(op).map_or(0, |stats| stats.ios)
    }

    pub(super) fn submit(&self, disk: &Disk, io: Io) -> Completion {
        let request = disk.submit(io);
        self.run(request)
    }

    pub(super) fn write(&self, disk: &Disk, offset: u64, bytes: &[u8]) {
        let mut lease = self.core.lease(bytes.len() as u32).unwrap();
        lease.copy_from_slice(bytes);
        self.submit(disk, Io::write(offset, lease)).result.unwrap();
    }

    pub(super) fn read(&self, disk: &Disk, offset: u64, len: usize) -> Vec<u8> {
        let mut lease = self.core.lease(len as u32).unwrap();
        lease.fill(0xee);
        let completion = self.submit(disk, Io::read(offset, lease));
        completion.result.unwrap();
        completion.payload.into_lease().unwrap().to_vec()
    }

    pub(super) fn flush(&self, disk: &Disk) {
        self.submit(disk, Io::flush()).result.unwrap();
    }
}

fn make_root(op: &mut store::Op<'_>) -> Result<InodeRef, store::Stop> {
    let mode = crate::format::MODE_DIRECTORY | 0o755;
    let new = crate::inode::NewInode { mode, uid: 0, gid: 0, rdev: 0, parent: 0, nlink: 2 };
    crate::inode::create(op, new)
}

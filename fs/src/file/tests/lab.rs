//! A volume with files on a device in memory.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::api::Disk;
use byway_engine::block::mem::MemDevice;
use byway_engine::block::wrap::{Stats, StatsHandle};
use byway_engine::block::{BlockDevice, Completion, Io, Op};
use byway_engine::core::{Core, CoreConfig};
use byway_engine::exec::Class;
use byway_engine::memory::ArenaConfig;

use super::super::{File, FileOptions, Files};
use crate::inode::InodeRef;
use crate::mkfs::{MkfsOptions, mkfs};
use crate::names::{self, New};
use crate::store;
use crate::volume::{MountOptions, Volume};

pub(super) const BLOCK: u64 = 4096;

/// The volume.
pub(super) struct Lab {
    pub(super) core: Rc<Core>,
    pub(super) volume: Volume,
    pub(super) files: Files,
    device: StatsHandle,
    root: InodeRef,
}

impl Lab {
    pub(super) fn new() -> Lab {
        Lab::on(Arc::new(MemDevice::new(256 << 20).unwrap()))
    }

    /// A new volume on a device.
    pub(super) fn on(device: Arc<dyn BlockDevice>) -> Lab {
        let arena = ArenaConfig { len: 64 << 20, huge: false };
        let core = Core::new(&CoreConfig { arena, ..CoreConfig::default() }).unwrap();
        let (making, bare) = (Rc::clone(&core), Arc::clone(&device));
        let options = MkfsOptions { uuid: Some([7; 16]), ..MkfsOptions::default() };
        run_on(&core, async move { mkfs(&making, &*bare, &options).await }).unwrap();
        Lab::mount(core, device)
    }

    /// A volume that is there.
    pub(super) fn mount(core: Rc<Core>, device: Arc<dyn BlockDevice>) -> Lab {
        let stats = Stats::new(device);
        let counts = stats.handle();
        let device: Arc<dyn BlockDevice> = Arc::new(stats);
        let home = Rc::clone(&core);
        let mounted =
            run_on(
                &core,
                async move { Volume::mount(&home, device, MountOptions::default()).await },
            );
        let volume = mounted.unwrap();
        let files = Files::new(&volume);
        let (ino, generation) = volume.root();
        Lab { core, volume, files, device: counts, root: InodeRef { ino, generation } }
    }

    /// Runs an operation.
    pub(super) fn op<T: 'static>(
        &self,
        operation: impl FnMut(&mut store::Op<'_>) -> Result<T, store::Stop> + 'static,
    ) -> T {
        let volume = self.volume.clone();
        self.run(async move { volume.run(operation).await }).unwrap()
    }

    /// Runs a future to its end.
    pub(super) fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        run_on(&self.core, future)
    }

    /// A new file of so many bytes.
    pub(super) fn file(&self, name: &str, size: u64) -> File {
        let name = name.as_bytes().to_vec();
        let root = self.root;
        let new = New { mode: 0o644, uid: 0, gid: 0 };
        let at = self.op(move |op| names::create(op, root, &name, new, true));
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
        self.op(move |op| names::create_orphan(op, root, new))
    }

    pub(super) fn disk(&self, file: &File) -> Disk {
        Disk::open(&self.core, file).unwrap()
    }

    pub(super) fn commits(&self) -> u64 {
        self.volume.counts().commits
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

fn run_on<T: 'static>(core: &Rc<Core>, future: impl Future<Output = T> + 'static) -> T {
    let task = core.spawn(Class::Foreground, "test", future);
    for _ in 0..10_000_000 {
        if let Some(value) = task.try_take() {
            return value;
        }
        core.turn(false);
    }
    panic!("the task does not end");
}

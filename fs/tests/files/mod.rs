//! A volume with files, for tests of whole operations.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::api::Disk;
use byway_engine::block::{BlockDevice, Completion, Io};
use byway_engine::core::{Core, CoreConfig};
use byway_engine::exec::Class;
use byway_engine::memory::ArenaConfig;
use byway_fs::file::{File, FileOptions, Files};
use byway_fs::inode::InodeRef;
use byway_fs::mkfs::{MkfsOptions, mkfs};
use byway_fs::names::{self, New};
use byway_fs::volume::{MountOptions, Volume};

/// Turns of a core that one future may take.
const TURNS_MAX: u32 = 50_000_000;

/// A mounted volume and its core.
pub struct Bed {
    pub core: Rc<Core>,
    pub volume: Volume,
    pub files: Files,
}

/// A core with enough memory for a volume.
pub fn new_core() -> Rc<Core> {
    let arena = ArenaConfig { len: 64 << 20, huge: false };
    Core::new(&CoreConfig { arena, ..CoreConfig::default() }).expect("a core")
}

/// Runs a future to its end on a core of this thread.
pub fn run_on<T: 'static>(core: &Rc<Core>, future: impl Future<Output = T> + 'static) -> T {
    let task = core.spawn(Class::Foreground, "test", future);
    for _ in 0..TURNS_MAX {
        if let Some(value) = task.try_take() {
            return value;
        }
        core.turn(false);
    }
    panic!("the task does not end");
}

/// Makes a volume on a device.
pub async fn make(core: Rc<Core>, device: Arc<dyn BlockDevice>) {
    let options = MkfsOptions { uuid: Some([7; 16]), ..MkfsOptions::default() };
    mkfs(&core, &*device, &options).await.expect("a volume");
}

/// Mounts a volume.
pub async fn mount(core: Rc<Core>, device: Arc<dyn BlockDevice>) -> (Volume, Files) {
    let volume = Volume::mount(&core, device, MountOptions::default()).await.expect("a mount");
    let files = Files::new(&volume);
    (volume, files)
}

/// Opens the file of this name in the root; it is made where it is not there.
pub async fn open(volume: &Volume, files: &Files, name: &str) -> File {
    let (ino, generation) = volume.root();
    let (root, new) = (InodeRef { ino, generation }, New { mode: 0o644, uid: 0, gid: 0 });
    let made = volume.run(|op| names::create(op, root, name.as_bytes(), new, false)).await;
    open_inode(files, made.expect("a file").at).await
}

/// Opens an inode.
pub async fn open_inode(files: &Files, at: InodeRef) -> File {
    let options = FileOptions { name: "fs:test".into(), ..FileOptions::default() };
    files.open(at, options).await.expect("an open file")
}

impl Bed {
    /// Mounts a volume on a core of its own.
    pub fn mount(device: Arc<dyn BlockDevice>) -> Bed {
        let core = new_core();
        let home = Rc::clone(&core);
        let (volume, files) = run_on(&core, mount(home, device));
        Bed { core, volume, files }
    }

    pub fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        run_on(&self.core, future)
    }

    pub fn open(&self, name: &'static str) -> File {
        let (volume, files) = (self.volume.clone(), self.files.clone());
        self.run(async move { open(&volume, &files, name).await })
    }

    /// An orphan that is a clone of a file.
    pub fn clone_of(&self, file: &File) -> File {
        let (volume, files, file) = (self.volume.clone(), self.files.clone(), file.clone());
        let (ino, generation) = volume.root();
        let (root, new) = (InodeRef { ino, generation }, New { mode: 0o644, uid: 0, gid: 0 });
        self.run(async move {
            let to = volume.run(|op| names::create_orphan(op, root, new)).await.expect("an orphan");
            let copy = open_inode(&files, to).await;
            drop(copy);
            file.clone_to(to).await.expect("a clone");
            open_inode(&files, to).await
        })
    }

    pub fn disk(&self, file: &File) -> Disk {
        Disk::open(&self.core, file).expect("a channel")
    }

    pub fn submit(&self, disk: &Disk, io: Io) -> Completion {
        self.run(disk.submit(io))
    }

    pub fn write(&self, disk: &Disk, offset: u64, bytes: &[u8]) {
        let mut lease = self.core.lease(bytes.len() as u32).expect("memory");
        lease.copy_from_slice(bytes);
        self.submit(disk, Io::write(offset, lease)).result.expect("a write");
    }

    pub fn read(&self, disk: &Disk, offset: u64, len: usize) -> Vec<u8> {
        let lease = self.core.lease(len as u32).expect("memory");
        let done = self.submit(disk, Io::read(offset, lease));
        done.result.expect("a read");
        done.payload.into_lease().expect("the lease").to_vec()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.core.shutdown();
    }
}

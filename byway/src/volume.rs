//! Volumes that are mounted in this process: each on a thread of its own, once however many of its
//! files are open.
//!
//! [`MountedVolume`] is a handle that may go anywhere; what it runs goes to the volume's home core.
//! Invariants: a volume is mounted for as long as a handle, an open file or a channel of one is
//! there; the last one that goes unmounts it, and nobody mounts it again before that has ended.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use byway_engine::SetupError;
use byway_engine::block::{
    BlockDevice, Channel, Completions, DeviceEvent, DeviceInfo, Io, WaitSource,
};
use byway_engine::core::{Core, CoreConfig};
use byway_engine::memory::ArenaConfig;
use byway_engine::reactor::ReactorThread;
use byway_fs::file::{File, FileOptions, Files};
use byway_fs::store::FsError;
use byway_fs::volume::{MountOptions, Volume};

use crate::uri::{FsUri, FsVolume, Uri};
use crate::{OpenOptions, open_with};

/// Memory of a volume's home core, in bytes.
const ARENA_LEN: usize = 64 << 20;

/// What there is on the home core of a volume.
#[derive(Clone)]
pub struct Home {
    /// The volume.
    pub volume: Volume,
    /// Its open files: the one table of them.
    pub files: Files,
}

thread_local! {
    /// The volume whose home this thread is.
    static HOME: RefCell<Option<Home>> = const { RefCell::new(None) };
}

/// A volume that is mounted, and its thread.
struct Mount {
    key: String,
    thread: ReactorThread,
    read_only: bool,
}

type Table = BTreeMap<String, (Arc<Mount>, usize)>;

/// What is mounted, by the URI of the device, with the number of its handles.
static TABLE: Mutex<Table> = Mutex::new(Table::new());

fn table() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A handle of a mounted volume.
pub struct MountedVolume {
    mount: Arc<Mount>,
    is_given_back: bool,
}

impl MountedVolume {
    /// Mounts the volume on a device, or gives a handle of the mount that is there.
    ///
    /// # Errors
    /// Where the device cannot be opened, the volume cannot be mounted, or it is mounted for reading
    /// and shall be written.
    pub fn mount(device: &Uri, read_only: bool) -> Result<MountedVolume, SetupError> {
        let key = device.to_string();
        let mut table = table();
        if let Some((mount, users)) = table.get_mut(&key) {
            if mount.read_only && !read_only {
                let remedy = "use it for reading, or end the other use first";
                return Err(SetupError::new(key, "it is mounted for reading only", remedy));
            }
            *users += 1;
            return Ok(MountedVolume::of(mount));
        }
        let mount = Arc::new(start(key.clone(), device, read_only)?);
        table.insert(key, (Arc::clone(&mount), 1));
        Ok(MountedVolume::of(&mount))
    }

    /// A handle that was counted.
    fn of(mount: &Arc<Mount>) -> MountedVolume {
        MountedVolume { mount: Arc::clone(mount), is_given_back: false }
    }

    /// Runs `work` on the home core, and waits for its end. The caller is no task of that core.
    ///
    /// # Errors
    /// Those of `work`; [`FsError::Stale`] where the home core has ended.
    pub fn run<T, F>(&self, work: impl FnOnce(Home) -> F + Send + 'static) -> Result<T, FsError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, FsError>> + 'static,
    {
        run(&self.mount.thread, work)
    }

    /// Opens a regular file, which keeps the volume mounted.
    ///
    /// # Errors
    /// Where there is no such file, named by the whole URI.
    pub fn open(&self, uri: &FsUri, read_only: bool) -> Result<Arc<dyn BlockDevice>, SetupError> {
        let read_only = read_only || uri.read_only;
        let name = uri.to_string();
        let file = self.file(uri.path.as_os_str().as_bytes(), FileOptions { name, read_only });
        let file = file.map_err(|error| setup(uri, &error))?;
        Ok(Arc::new(VolumeFile { file, volume: self.clone() }))
    }

    /// Opens a regular file by its path, for use within the lifetime of this handle.
    ///
    /// # Errors
    /// Where there is none.
    pub fn file(&self, path: &[u8], options: FileOptions) -> Result<File, FsError> {
        let path = path.to_vec();
        self.run(|home| async move {
            let at = home.volume.open_root().lookup(&path, true).await?;
            home.files.open(at, options).await
        })
    }

    /// Gives the handle back. The last one unmounts, and says whether everything is on the device.
    ///
    /// # Errors
    /// Where the unmount failed.
    pub fn close(mut self) -> Result<(), FsError> {
        self.is_given_back = true;
        give_back(&self.mount)
    }
}

impl Clone for MountedVolume {
    fn clone(&self) -> MountedVolume {
        if let Some((_, users)) = table().get_mut(&self.mount.key) {
            *users += 1;
        }
        MountedVolume::of(&self.mount)
    }
}

impl Drop for MountedVolume {
    fn drop(&mut self) {
        if self.is_given_back {
            return;
        }
        if let Err(error) = give_back(&self.mount) {
            tracing::error!(volume = self.mount.key, %error, "a volume was not unmounted in order");
        }
    }
}

/// Counts one handle less, and unmounts after the last one. The table is locked until that is done.
fn give_back(mount: &Arc<Mount>) -> Result<(), FsError> {
    let mut table = table();
    let Some((_, users)) = table.get_mut(&mount.key) else { return Ok(()) };
    *users -= 1;
    if *users > 0 {
        return Ok(());
    }
    let ended = run(&mount.thread, |home| async move {
        HOME.set(None);
        home.files.close().await?;
        home.volume.unmount().await
    });
    table.remove(&mount.key);
    ended
}

fn run<T, F>(
    thread: &ReactorThread,
    work: impl FnOnce(Home) -> F + Send + 'static,
) -> Result<T, FsError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, FsError>> + 'static,
{
    let done = thread.block_on(move |_| async move {
        match HOME.with_borrow(Clone::clone) {
            Some(home) => work(home).await,
            None => Err(FsError::Stale),
        }
    });
    done.unwrap_or(Err(FsError::Stale))
}

fn start(key: String, device: &Uri, read_only: bool) -> Result<Mount, SetupError> {
    let device = open_with(device, OpenOptions { read_only })?;
    let arena = ArenaConfig { len: ARENA_LEN + device.memory_len(), ..ArenaConfig::default() };
    let thread = ReactorThread::start(CoreConfig { arena, ..CoreConfig::default() })?;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().to_owned();
    let options = MountOptions { read_only, host, ..MountOptions::default() };
    let mounted = thread.block_on(move |core| async move {
        let volume = Volume::mount(&core, device, options).await?;
        HOME.set(Some(Home { files: Files::new(&volume), volume }));
        Ok(())
    });
    let ended = || SetupError::new(&key, "its thread has ended", "see the log");
    let mounted: Result<(), byway_fs::volume::MountError> = mounted.ok_or_else(ended)?;
    mounted.map_err(|error| {
        let words = error.refusal.to_string();
        let (problem, remedy) = words.rsplit_once(": ").unwrap_or((&words, "see the log"));
        SetupError::new(error.device, problem, remedy)
    })?;
    Ok(Mount { key, thread, read_only })
}

/// Opens the file that a URI names, and mounts its volume where it is not.
pub(crate) fn open(uri: &FsUri, wanted: OpenOptions) -> Result<Arc<dyn BlockDevice>, SetupError> {
    let FsVolume::Device(device) = &uri.volume else {
        let remedy = "write fs:[DEVICE-URI]/path";
        return Err(SetupError::new(uri.to_string(), "no volume has this name", remedy));
    };
    let read_only = wanted.read_only || uri.read_only;
    MountedVolume::mount(device, read_only)?.open(uri, read_only)
}

/// A failure of the file system as one about a URI.
pub fn setup(uri: &FsUri, error: &FsError) -> SetupError {
    let remedy = match error {
        FsError::NotFound => "see what is there with byway ls, or make it with byway image create",
        FsError::NoSpace => "remove something, or grow the volume with byway fs grow",
        FsError::Damaged(_) => "run byway fsck on the device",
        FsError::ReadOnly => "open it for writing",
        _ => "look at the volume with byway ls",
    };
    SetupError::new(uri.to_string(), error.to_string(), remedy)
}

/// A file that keeps its volume mounted.
struct VolumeFile {
    // In this order: the file is closed before its volume may go.
    file: File,
    volume: MountedVolume,
}

impl BlockDevice for VolumeFile {
    fn info(&self) -> DeviceInfo {
        self.file.info()
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        let channel = self.file.open_channel(core)?;
        Ok(Box::new(VolumeChannel { channel, _volume: self.volume.clone() }))
    }

    fn memory_len(&self) -> usize {
        self.file.memory_len()
    }
}

/// A channel that keeps its volume mounted.
struct VolumeChannel {
    channel: Box<dyn Channel>,
    _volume: MountedVolume,
}

impl Channel for VolumeChannel {
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        self.channel.submit(io)
    }

    fn flush_submissions(&mut self) {
        self.channel.flush_submissions();
    }

    fn poll(&mut self, done: &mut Completions) {
        self.channel.poll(done);
    }

    fn in_flight(&self) -> u32 {
        self.channel.in_flight()
    }

    fn wait_source(&self) -> WaitSource {
        self.channel.wait_source()
    }

    fn take_event(&mut self) -> Option<DeviceEvent> {
        self.channel.take_event()
    }
}

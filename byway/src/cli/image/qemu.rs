//! Formats of others, by qemu-img: it reads or writes the image over our own NBD export, on a Unix
//! socket in a folder that only this user can enter.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use byway_engine::block::BlockDevice;
use byway_engine::core::CoreConfig;
use byway_engine::memory::ArenaConfig;
use byway_engine::net::Address;
use byway_engine::reactor::Reactor;
use byway_export::nbd::{ExportConfig, ListenOn, Server, ServerConfig};

use crate::cli::failure::Failure;
use crate::cli::files::Within;

/// Memory for the requests of qemu-img, in bytes.
const ARENA_LEN: usize = 64 << 20;
/// How often the server looks whether it is to end, in nanoseconds.
const LOOK_NS: u64 = 5_000_000;

/// The size of the disk in a file of this format.
pub(super) fn virtual_size(file: &Path, format: &str) -> Result<u64, Failure> {
    let mut command = Command::new("qemu-img");
    command.args(["info", "--output=json", "-f", format]).arg(file);
    let out = output_of(command)?;
    let info: serde_json::Value = serde_json::from_slice(&out).unwrap_or_default();
    info["virtual-size"].as_u64().ok_or_else(|| {
        let shown = file.display();
        Failure::failed(format!("{shown}: qemu-img tells no size; look at it with qemu-img info"))
    })
}

/// Copies a disk into an image that is there and reads as zeroes.
pub(super) fn copy_in(file: &Path, format: &str, at: &Within) -> Result<(), Failure> {
    served(at, false, |nbd| {
        let mut command = Command::new("qemu-img");
        command.args(["convert", "-n", "--target-is-zero", "-f", format, "-O", "raw"]);
        command.arg(file).arg(nbd);
        output_of(command).map(drop)
    })
}

/// Copies an image into a file of this format.
pub(super) fn copy_out(at: &Within, format: &str, file: &Path) -> Result<(), Failure> {
    served(at, true, |nbd| {
        let mut command = Command::new("qemu-img");
        command.args(["convert", "-f", "raw", "-O", format]).arg(nbd).arg(file);
        output_of(command).map(drop)
    })
}

fn output_of(mut command: Command) -> Result<Vec<u8>, Failure> {
    let output = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let remedy = "install it (Debian: qemu-utils), or use --format raw";
            Failure::failed(format!("qemu-img: not installed; {remedy}"))
        }
        _ => Failure::failed(format!("qemu-img: {error}; run it by hand")),
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let words = words.trim().trim_start_matches("qemu-img: ");
    Err(Failure::failed(format!("qemu-img: {words}; look at the file with qemu-img info")))
}

/// A folder of this user alone, which goes with the value.
struct Private(PathBuf);

impl Private {
    fn new() -> Result<Private, Failure> {
        let path = std::env::temp_dir().join(format!("byway-image-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(|error| {
            Failure::failed(format!("{}: {error}; set TMPDIR to another folder", path.display()))
        })?;
        Ok(Private(path))
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // A folder that stays behind holds nothing.
        let _removed = fs::remove_dir_all(&self.0);
    }
}

/// Serves an image over NBD for as long as `work` takes.
fn served(
    at: &Within,
    read_only: bool,
    work: impl FnOnce(String) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let folder = Private::new()?;
    let socket = folder.0.join("nbd.sock");
    let device = at.volume.open(&at.uri, read_only)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (tell, told) = mpsc::channel();
    let server = {
        let (socket, stop) = (socket.clone(), Arc::clone(&stop));
        std::thread::spawn(move || serve(device, &socket, stop, tell))
    };
    // The sender goes with the server, also where it cannot start.
    let done = match told.recv() {
        Ok(()) => work(format!("nbd+unix:///?socket={}", socket.display())),
        Err(_) => Ok(()),
    };
    stop.store(true, Ordering::Relaxed);
    let ended = server.join().unwrap_or_else(|_| {
        Err(Failure::failed(format!("{}: its server panicked; report this", at.uri)))
    });
    ended.and(done)
}

fn serve(
    device: Arc<dyn BlockDevice>,
    socket: &Path,
    stop: Arc<AtomicBool>,
    tell: mpsc::Sender<()>,
) -> Result<(), Failure> {
    let arena = ArenaConfig { len: ARENA_LEN + device.memory_len(), ..ArenaConfig::default() };
    let reactor = Reactor::new(&CoreConfig { arena, ..CoreConfig::default() })?;
    let address: Address = format!("unix:{}", socket.display()).parse()?;
    let config = ServerConfig {
        listeners: vec![ListenOn::Address(address)],
        exports: vec![ExportConfig::new("", device)],
        ..ServerConfig::default()
    };
    reactor.run(|core| async move {
        let server = Server::start(&core, config)?;
        // Nobody waits where the other side has ended.
        let _told = tell.send(());
        while !stop.load(Ordering::Relaxed) {
            core.sleep(LOOK_NS).await;
        }
        server.stop().await;
        Ok(())
    })
}

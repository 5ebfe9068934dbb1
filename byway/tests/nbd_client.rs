//! The NBD client against servers by others, nbdkit and qemu-nbd, and against our own, each on a
//! socket of its own.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

#[allow(dead_code, reason = "of these helpers, some are for other tests")]
mod common;
#[path = "common/peers/mod.rs"]
mod peers;

use std::process::Command;
use std::rc::Rc;

use byway::{Uri, open};
use byway_engine::ErrorKind;
use byway_engine::api::Disk;
use byway_engine::block::ExtentKind;
use byway_engine::core::{Core, CoreConfig, yield_now};
use byway_engine::exec::Class;
use byway_engine::memory::{ArenaConfig, Lease};
use byway_engine::reactor::Reactor;
use common::{Folder, byway};
use peers::is_missing;
use peers::nbd::{NbdServer, said};

const SIZE: u64 = 64 << 20;
const BLOCK: u32 = 4096;
const MIB: u64 = 1 << 20;

/// Writes stamped blocks and checks what is read.
fn verified(uri: &str, words: &[&str]) {
    let args = ["bench", "run", uri, "--rw", "randrw", "--verify", "crc32c"];
    let output = byway(&args).args(["--runtime", "300ms"]).args(words).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// Runs a story with the device that a URI names.
fn story<F: Future<Output = ()> + 'static>(
    uri: &str,
    tell: impl FnOnce(Rc<Core>, Disk) -> F + 'static,
) {
    let device = open(&uri.parse::<Uri>().unwrap()).unwrap();
    let arena = ArenaConfig { len: 64 << 20, huge: false };
    let config = CoreConfig { arena, ..CoreConfig::default() };
    Reactor::new(&config).unwrap().run(|core| async move {
        let disk = Disk::open(&core, &*device).unwrap();
        tell(core, disk).await;
    });
}

fn filled(core: &Core, byte: u8) -> Lease {
    let mut lease = core.lease(BLOCK).unwrap();
    lease.fill(byte);
    lease
}

async fn byte_at(disk: &Disk, offset: u64) -> u8 {
    let (result, lease) = disk.read(offset, filled(disk.core(), 0xff)).await;
    result.unwrap();
    assert!(lease.iter().all(|byte| *byte == lease[0]));
    lease[0]
}

#[test]
fn blocks_come_back_from_nbdkit() {
    for words in [["--bs", "4k"], ["--bs", "1m"]] {
        let Some(server) = NbdServer::nbdkit("blocks", &["memory", "64M"]) else { return };
        verified(&server.uri, &words);
    }
}

#[test]
fn blocks_come_back_from_qemu_nbd() {
    let folder = Folder::new("nbd-client-qemu");
    let image = folder.file("image", SIZE);
    let Some(server) = NbdServer::qemu_nbd("blocks", &image, &[]) else { return };
    verified(&server.uri, &["--bs", "64k", "--qd", "16"]);
}

#[test]
fn a_server_that_goes_with_its_last_client_serves_until_then() {
    if is_missing("nbd-client-once", "qemu-nbd", "qemu-utils") {
        return;
    }
    let folder = Folder::new("nbd-client-once");
    let (socket, image) = (folder.path("socket"), folder.file("image", SIZE));
    let mut command = Command::new("qemu-nbd");
    command.args(["-f", "raw", "--fork", "-k"]).arg(&socket).arg("--pid-file");
    assert!(command.arg(folder.path("pid")).arg(image).status().unwrap().success());
    verified(&format!("nbd+unix:///?socket={}", socket.display()), &["--qd", "8"]);
    let pid = std::fs::read_to_string(folder.path("pid")).unwrap_or_default();
    let is_there = || {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", pid.trim()));
        !pid.is_empty() && name.is_ok_and(|name| name.starts_with("qemu-nbd"))
    };
    while is_there() {
        std::thread::yield_now();
    }
}

#[test]
fn errors_of_the_server_arrive() {
    let words = ["--filter=error", "memory", "64M", "error-pread=EIO", "error-pread-rate=100%"];
    let Some(server) = NbdServer::nbdkit("error", &words) else { return };
    let output = byway(&["bench", "run", &server.uri, "--runtime", "100ms"]).output().unwrap();
    let text = said(&output);
    assert!(!output.status.success() && text.contains("Eio"), "{text}");
}

/// Every operation once, and what is there afterwards.
async fn all_operations(core: Rc<Core>, disk: Disk) {
    let can = disk.info().can;
    assert!(can.fua && can.write_zeroes && can.discard, "{can:?}");
    for at in 0..4 {
        disk.write(at * MIB, filled(&core, 7)).await.0.unwrap();
    }
    disk.write_fua(4 * MIB, filled(&core, 8)).await.0.unwrap();
    disk.flush().await.unwrap();
    disk.write_zeroes(0, u64::from(BLOCK), false).await.unwrap();
    disk.write_zeroes(MIB, u64::from(BLOCK), true).await.unwrap();
    disk.discard(2 * MIB, u64::from(BLOCK)).await.unwrap();
    assert_eq!((byte_at(&disk, 0).await, byte_at(&disk, MIB).await), (0, 0));
    assert_eq!((byte_at(&disk, 3 * MIB).await, byte_at(&disk, 4 * MIB).await), (7, 8));
    if can.block_status {
        let extents = disk.block_status(3 * MIB, 8 * MIB).await.unwrap();
        assert_eq!((extents[0].offset, extents[0].kind), (3 * MIB, ExtentKind::Data));
        let covered: u64 = extents.iter().map(|extent| extent.len).sum();
        assert!(covered > 0 && covered <= 8 * MIB, "{extents:?}");
    }
    let end = disk.info().size;
    let beyond = disk.read(end, filled(&core, 0)).await.0.unwrap_err();
    assert_eq!(beyond.kind, ErrorKind::Range);
}

#[test]
fn every_operation_is_understood_by_every_server() {
    let folder = Folder::new("nbd-client-operations");
    let images = ["nbdkit", "qemu", "own"].map(|name| folder.file(name, SIZE));
    let [for_nbdkit, for_qemu, for_own] = images.each_ref();
    let own = format!("file:{}", for_own.display());
    let servers = [
        NbdServer::nbdkit("operations", &["file", for_nbdkit.to_str().unwrap()]),
        NbdServer::qemu_nbd("operations", for_qemu, &[]),
        Some(NbdServer::own("operations", &own, &[])),
        Some(NbdServer::own("operations-mem", "mem:64m", &[])),
    ];
    for server in servers.iter().flatten() {
        story(&server.uri, all_operations);
    }
}

async fn nothing_is_written(core: Rc<Core>, disk: Disk) {
    assert!(disk.info().read_only);
    let refused = disk.write(0, filled(&core, 7)).await.0.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::ReadOnly, "{refused}");
    assert_eq!(byte_at(&disk, 0).await, 0);
}

#[test]
fn what_is_read_only_stays_so() {
    let own = NbdServer::own("read-only", "mem:64m", &["--read-only"]);
    story(&own.uri, nothing_is_written);
    let own = NbdServer::own("read-only-by-uri", "mem:64m", &[]);
    story(&format!("{}&readonly=on", own.uri), nothing_is_written);
    let Some(other) = NbdServer::nbdkit("read-only", &["-r", "memory", "64M"]) else { return };
    story(&other.uri, nothing_is_written);
}

/// Writes a round of stamps, all at once.
async fn stamp(disk: &Disk, round: u8) {
    let write = |n: u64| disk.write(n * u64::from(BLOCK), filled(disk.core(), round));
    let all = (0..32).map(write);
    for (result, _) in futures_util::future::join_all(all).await {
        result.unwrap();
    }
}

#[test]
fn load_goes_on_over_crashes_of_the_server() {
    let folder = Folder::new("nbd-client-crash");
    let device = format!("file:{}", folder.file("disk", SIZE).display());
    let mut server = NbdServer::own("crash", &device, &[]);
    let uri = server.uri.clone();
    story(&uri, |core, disk| async move {
        for round in 1..=5u8 {
            let (other, tasks) = (disk.clone(), Rc::clone(&core));
            let load = tasks.spawn(Class::Foreground, "load", async move {
                for _ in 0..200 {
                    stamp(&other, round).await;
                }
            });
            while disk.in_flight() == 0 {
                yield_now().await;
            }
            server.kill();
            server.come_back(&device, &[]);
            load.await.unwrap();
            for n in 0..32 {
                assert_eq!(byte_at(&disk, n * u64::from(BLOCK)).await, round);
            }
        }
    });
}

#[test]
fn a_flush_fails_once_where_writes_may_be_lost() {
    let folder = Folder::new("nbd-client-flush");
    let device = format!("file:{}", folder.file("disk", SIZE).display());
    let mut server = NbdServer::own("flush", &device, &[]);
    let uri = server.uri.clone();
    story(&uri, |_, disk| async move {
        stamp(&disk, 1).await;
        disk.flush().await.unwrap();
        server.kill();
        server.come_back(&device, &[]);
        assert_eq!(byte_at(&disk, 0).await, 1);
        disk.flush().await.expect("nothing was lost that a flush has not covered");
        stamp(&disk, 2).await;
        server.kill();
        server.come_back(&device, &[]);
        assert_eq!(byte_at(&disk, 0).await, 2);
        let told = disk.flush().await.unwrap_err();
        assert_eq!(told.kind, ErrorKind::Aborted { maybe_written: true }, "{told}");
        disk.flush().await.expect("it is told once");
    });
}

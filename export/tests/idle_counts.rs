//! What a client that has shaken hands and asks for nothing costs the server, counted: bytes of its
//! heap, and of the arena.
//!
//! One test in its own program: the counting allocator is installed here. It counts by thread, and the
//! clients are on another thread than the server.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use byway_engine::block::mem::MemDevice;
use byway_engine::core::{Core, CoreConfig};
use byway_engine::count_alloc::{CountingAllocator, live_bytes};
use byway_engine::memory::ArenaConfig;
use byway_engine::net::Address;
use byway_engine::reactor::Reactor;
use byway_export::nbd::{ExportConfig, ListenOn, Server, ServerConfig, ServerHandle};
use byway_proto::nbd::option::{Opt, OptionHead};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const CONNECTIONS: usize = 1000;
/// Connections before those that are counted: tables have grown by then.
const WARM_UP: usize = 24;
/// Bytes of heap and arena together that an idle connection may have.
const IDLE_MAX: u64 = 32 << 10;

/// Shakes hands by the option that has no answer but the export's size.
fn shake_hands(path: &Path) -> UnixStream {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.read_exact(&mut [0; 18]).unwrap();
    let option = OptionHead { option: Opt::ExportName, len: 0 }.encode();
    stream.write_all(&[&3u32.to_be_bytes()[..], &option].concat()).unwrap();
    stream.read_exact(&mut [0; 10]).unwrap();
    stream
}

fn clients(path: PathBuf, count: usize) -> JoinHandle<Vec<UnixStream>> {
    std::thread::spawn(move || (0..count).map(|_| shake_hands(&path)).collect())
}

async fn here(core: &Rc<Core>, server: &ServerHandle, count: usize) {
    while server.stats().connections.len() < count {
        core.sleep(1_000_000).await;
    }
}

async fn count(core: Rc<Core>, path: PathBuf) -> (u64, u64) {
    let listener = ListenOn::Address(Address::Unix(path.clone()));
    let config = ServerConfig {
        listeners: vec![listener],
        exports: vec![ExportConfig::new("", Arc::new(MemDevice::new(1 << 20).unwrap()))],
        ..ServerConfig::default()
    };
    let server = Server::start(&core, config).unwrap();
    let first = clients(path.clone(), WARM_UP);
    here(&core, &server, WARM_UP).await;
    let (heap, cut) = (live_bytes(), core.arena().stats().cut);
    let rest = clients(path, CONNECTIONS);
    here(&core, &server, WARM_UP + CONNECTIONS).await;
    let (heap, cut) = (live_bytes() - heap, core.arena().stats().cut - cut);
    server.stop().await;
    drop((first.join().unwrap(), rest.join().unwrap()));
    (u64::try_from(heap).unwrap() / CONNECTIONS as u64, cut as u64 / CONNECTIONS as u64)
}

#[test]
fn an_idle_connection_has_little_of_heap_and_arena() {
    let path = std::env::temp_dir().join(format!("byway-idle-{}", std::process::id()));
    let arena = ArenaConfig { len: 64 << 20, huge: false };
    let config = CoreConfig { arena, ..CoreConfig::default() };
    let at = path.clone();
    let (heap, arena) = Reactor::new(&config).unwrap().run(|core| count(core, at));
    let _gone = std::fs::remove_file(path);
    println!("an idle connection has {heap} bytes of heap and {arena} of the arena");
    assert!(heap > 0 && arena > 0, "{heap} and {arena} bytes: nothing is counted");
    assert!(heap + arena < IDLE_MAX, "{heap} bytes of heap and {arena} of the arena");
}

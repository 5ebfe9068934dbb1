//! Streams and listeners over loopback and in a directory of their own: every story runs on TCP and
//! on Unix sockets, with every feature of the kernel and with each one forced off.

mod listener;
mod receiver;
mod simulated;
mod stream;
mod threads;

use std::fs;
use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use super::*;
use crate::block::mem::MemDevice;
use crate::block::{BlockDevice, Io, Payload, SegmentList};
use crate::core::{Core, CoreConfig, PollMode};
use crate::exec::Class;
use crate::memory::ArenaConfig;
use crate::reactor::Reactor;
use crate::ring::{Feature, FeatureSet};

/// A core that sleeps when idle, with a small arena.
fn config(features_off: FeatureSet) -> CoreConfig {
    CoreConfig {
        arena: ArenaConfig { len: 16 << 20, huge: false },
        poll_mode: PollMode::Never,
        features_off,
        stall_ns: 0,
        ..CoreConfig::default()
    }
}

/// Nothing off, each feature off, all off.
fn kernels() -> impl Iterator<Item = FeatureSet> {
    let each = Feature::ALL.into_iter().map(|feature| FeatureSet::from_iter([feature]));
    each.chain([FeatureSet::NONE, FeatureSet::all()])
}

/// Runs a story on every kernel, on TCP and on a Unix socket.
fn everywhere<F: Future<Output = ()> + 'static>(story: impl Fn(Rc<Core>, Address) -> F) {
    for off in kernels() {
        let dir = Dir::new();
        for address in [loopback(), dir.address("story")] {
            let reactor = Reactor::new(&config(off)).unwrap();
            reactor.run(|core| story(core, address));
            assert!(reactor.core().executor().is_empty(), "{off:?}: a task is left over");
        }
    }
}

/// Runs a story once, with every feature that the kernel has.
fn once<F: Future<Output = ()> + 'static>(story: impl FnOnce(Rc<Core>) -> F) {
    Reactor::new(&config(FeatureSet::NONE)).unwrap().run(story);
}

fn loopback() -> Address {
    "127.0.0.1:0".parse().unwrap()
}

/// A directory that is removed with everything in it.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("byway-net-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Dir(path)
    }

    fn address(&self, name: &str) -> Address {
        Address::Unix(self.0.join(name))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn listen(core: &Rc<Core>, address: &Address) -> Listener {
    Listener::bind(core, address, ListenOptions::default()).unwrap()
}

/// Two ends of a connection through a listener at `address`.
async fn pair(core: &Rc<Core>, address: &Address) -> (Stream, Stream) {
    let listener = listen(core, address);
    let to = listener.local_address().clone();
    let far = core.spawn(Class::Foreground, "accept", async move { listener.accept().await });
    let near = Stream::connect(core, &to).await.unwrap();
    (near, far.await.unwrap().unwrap().0)
}

/// A payload with segments of these lengths (one: in place).
fn payload(core: &Rc<Core>, lens: &[u32]) -> Payload {
    if let [len] = lens {
        return core.lease(*len).unwrap().into();
    }
    let mut list = SegmentList::with_capacity(lens.len());
    lens.iter().for_each(|&len| list.push(core.lease(len).unwrap()).unwrap());
    Payload::Many(Box::new(list))
}

/// The byte at `at` of the test's pattern: shifted or repeated pieces do not match.
fn pattern(at: u64) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)).wrapping_mul(31) as u8
}

/// Bytes of the pattern.
fn pattern_bytes(at: u64, len: usize) -> Vec<u8> {
    (at..at + len as u64).map(pattern).collect()
}

fn filled(mut payload: Payload, at: u64) -> Payload {
    payload.copy_from(0, &pattern_bytes(at, payload.len() as usize));
    payload
}

fn bytes(payload: &Payload, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    payload.copy_to(0, &mut bytes);
    bytes
}

async fn send_bytes(core: &Rc<Core>, stream: &Stream, text: &[u8]) {
    let mut lease = core.lease(text.len() as u32).unwrap();
    lease.copy_from_slice(text);
    stream.send(lease.into()).await.0.unwrap();
}

async fn receive_bytes(core: &Rc<Core>, stream: &Stream, len: u32) -> Vec<u8> {
    let (result, payload) = stream.receive_exact(payload(core, &[len])).await;
    result.unwrap();
    bytes(&payload, len as usize)
}

/// Lets a future run until it waits.
async fn start<F: Future>(mut future: Pin<&mut F>) {
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending(), "it did not have to wait");
        Poll::Ready(())
    })
    .await;
}

/// A connection of its own that makes the core take a turn through the kernel.
struct Bell(Stream, Stream);

impl Bell {
    async fn new(core: &Rc<Core>) -> Bell {
        let (near, far) = pair(core, &loopback()).await;
        Bell(near, far)
    }

    async fn turn(&self, core: &Rc<Core>) {
        send_bytes(core, &self.0, b"!").await;
        assert_eq!(receive_bytes(core, &self.1, 1).await, b"!");
    }
}

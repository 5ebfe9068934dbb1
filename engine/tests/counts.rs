//! What the steady state costs, counted and not timed: allocations and system calls per request.
//!
//! One test in its own program: the counting allocator is installed here, and the thread's count
//! is read around a stretch of work after a warm-up.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::api::{Disk, PollQueue};
use byway_engine::block::file::{FileDevice, FileOptions};
use byway_engine::block::mem::MemDevice;
use byway_engine::block::null::NullDevice;
use byway_engine::block::{BlockDevice, Completions, Io};
use byway_engine::core::{Core, CoreConfig, PollMode};
use byway_engine::count_alloc::{CountingAllocator, allocations};
use byway_engine::exec::Class;
use byway_engine::reactor::Reactor;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const DEPTH: usize = 32;
const BLOCK: u32 = 4096;
const WARM_UP: u64 = 4_000;
const COUNTED: u64 = 16_000;

fn config() -> CoreConfig {
    CoreConfig { poll_mode: PollMode::Never, ..CoreConfig::default() }
}

/// Allocations and system calls of `COUNTED` reads at `DEPTH` through a poll queue.
fn poll_queue_counts(device: &dyn BlockDevice) -> (u64, u64) {
    let mut queue = PollQueue::open(device, &config()).unwrap();
    let blocks = queue.info().size / u64::from(BLOCK);
    let mut done = Completions::with_capacity(DEPTH);
    for n in 0..DEPTH as u64 {
        let lease = queue.lease(BLOCK).unwrap();
        queue.submit(Io::read(n % blocks * u64::from(BLOCK), lease)).unwrap();
    }
    let (mut ended, mut before) = (0, (0, 0));
    while ended < WARM_UP + COUNTED {
        let first = ended;
        queue.wait(&mut done, 1_000_000_000);
        for completion in done.drain(..) {
            completion.result.unwrap();
            ended += 1;
            let at = ended.wrapping_mul(0x9e37_79b9_7f4a_7c15) % blocks * u64::from(BLOCK);
            queue.submit(Io::read(at, completion.payload)).unwrap();
        }
        if first < WARM_UP && ended >= WARM_UP {
            before = (allocations(), queue.core().counters().syscalls);
        }
    }
    (allocations() - before.0, queue.core().counters().syscalls - before.1)
}

/// Allocations of `COUNTED` reads by `DEPTH` tasks of a reactor.
fn native_allocations(device: Arc<dyn BlockDevice>) -> u64 {
    let reactor = Reactor::new(&config()).unwrap();
    reactor.run(|core| async move {
        let disk = Disk::open(&core, &*device).unwrap();
        run_tasks(&core, &disk, WARM_UP).await;
        let before = allocations();
        // The tasks themselves are allocated: that is not the steady state, so it is taken off.
        run_tasks(&core, &disk, 0).await;
        let spawning = allocations() - before;
        run_tasks(&core, &disk, COUNTED).await;
        allocations() - before - 2 * spawning
    })
}

async fn run_tasks(core: &Rc<Core>, disk: &Disk, reads: u64) {
    let left = Rc::new(Cell::new(reads));
    let mut tasks = Vec::with_capacity(DEPTH);
    for _ in 0..DEPTH {
        let (disk, left) = (disk.clone(), Rc::clone(&left));
        tasks.push(core.spawn(Class::Foreground, "read", async move {
            let mut lease = disk.core().lease(BLOCK).unwrap();
            while left.get() > 0 {
                left.set(left.get() - 1);
                let (result, back) = disk.read(left.get() % 64 * u64::from(BLOCK), lease).await;
                result.unwrap();
                lease = back;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn scratch() -> Scratch {
    let path = std::env::temp_dir().join(format!("byway-counts-{}", std::process::id()));
    std::fs::write(&path, vec![1; 1 << 20]).unwrap();
    Scratch(path)
}

/// The RAM block device where there is one that may be read, else nothing.
fn ram_device() -> Option<FileDevice> {
    let path = PathBuf::from("/dev/zram0");
    let options = FileOptions { read_only: true, ..FileOptions::default() };
    FileDevice::open(&path, options).ok()
}

#[test]
fn the_steady_state_allocates_nothing_and_rarely_calls_the_kernel() {
    let (allocated, calls) = poll_queue_counts(&NullDevice::new(1 << 30));
    assert_eq!((allocated, calls), (0, 0), "null: through PollQueue");
    let (allocated, calls) = poll_queue_counts(&MemDevice::new(1 << 30).unwrap());
    assert_eq!((allocated, calls), (0, 0), "mem: through PollQueue");
    let file = scratch();
    let device = FileDevice::open(&file.0, FileOptions::default()).unwrap();
    let (allocated, calls) = poll_queue_counts(&device);
    assert_eq!(allocated, 0, "file: through PollQueue");
    assert!(calls <= COUNTED + 16, "a file costs at most one call a request: {calls}");
    assert_eq!(native_allocations(Arc::new(NullDevice::new(1 << 30))), 0, "null: by tasks");
    assert_eq!(native_allocations(Arc::new(device)), 0, "file: by tasks");
    match ram_device() {
        Some(device) if completes_inline(&device) => {
            let (allocated, calls) = poll_queue_counts(&device);
            assert_eq!(allocated, 0, "RAM block device");
            assert!(calls * 10 <= COUNTED, "{calls} calls for {COUNTED} requests at depth 32");
        }
        Some(_) => println!("skipped: /dev/zram0 completes after submission on this machine"),
        None => println!("skipped: no RAM block device at /dev/zram0 (set its disksize)"),
    }
}

/// True where requests are done when their submission returns. Elsewhere how many completions one
/// call brings is a matter of timing, which gates no test.
fn completes_inline(device: &FileDevice) -> bool {
    let mut queue = PollQueue::open(device, &config()).unwrap();
    let mut done = Completions::with_capacity(DEPTH);
    (0..20).all(|_| {
        for n in 0..DEPTH as u64 {
            let lease = queue.lease(BLOCK).unwrap();
            queue.submit(Io::read(n * u64::from(BLOCK), lease)).unwrap();
        }
        let at_once = queue.poll(&mut done) == DEPTH;
        while queue.in_flight() > 0 {
            queue.wait(&mut done, 1_000_000_000);
        }
        done.clear();
        at_once
    })
}

//! Level one: tasks on a reactor. Eight tasks copy a device to another one, block by block, and
//! one flush makes the copy durable.
//!
//! Run: `cargo run --release -p byway-engine --example reactor_native [FROM TO]`

use std::cell::Cell;
use std::error::Error;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::block::file::{FileDevice, FileOptions};
use byway_engine::block::mem::MemDevice;
use byway_engine::core::{Core, CoreConfig};
use byway_engine::error::IoError;
use byway_engine::exec::Class;
use byway_engine::reactor::Reactor;

const BLOCK: u64 = 64 << 10;
const TASKS: usize = 8;

/// Copies every block that `next` hands out, until there is none left.
async fn copy(from: Disk, to: Disk, next: Rc<Cell<u64>>, end: u64) -> Result<u64, Box<IoError>> {
    let mut lease = from.core().lease(BLOCK as u32).expect("the arena holds a block for each task");
    let mut copied = 0;
    loop {
        let at = next.replace(next.get() + BLOCK);
        if at >= end {
            return Ok(copied);
        }
        lease.set_len(BLOCK.min(end - at) as u32);
        let (read, filled) = from.read(at, lease).await;
        read?;
        let (written, back) = to.write(at, filled).await;
        written?;
        copied += back.len() as u64;
        lease = back;
    }
}

async fn run(
    core: Rc<Core>,
    from: Arc<dyn BlockDevice>,
    to: Arc<dyn BlockDevice>,
) -> Result<u64, Box<dyn Error>> {
    let (from, to) = (Disk::open(&core, &*from)?, Disk::open(&core, &*to)?);
    let end = from.info().size.min(to.info().size);
    let next = Rc::new(Cell::new(0));
    let start = |_| {
        let task = copy(from.clone(), to.clone(), Rc::clone(&next), end);
        core.spawn(Class::Foreground, "copy", task)
    };
    let tasks: Vec<_> = (0..TASKS).map(start).collect();
    let mut copied = 0;
    for task in tasks {
        copied += task.await??;
    }
    to.flush().await?;
    Ok(copied)
}

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let (from, to): (Arc<dyn BlockDevice>, Arc<dyn BlockDevice>) = match paths.as_slice() {
        [from, to] => {
            let read_only = FileOptions { read_only: true, ..FileOptions::default() };
            let from = FileDevice::open(Path::new(from), read_only)?;
            (Arc::new(from), Arc::new(FileDevice::open(Path::new(to), FileOptions::default())?))
        }
        _ => (Arc::new(MemDevice::new(64 << 20)?), Arc::new(MemDevice::new(64 << 20)?)),
    };
    let reactor = Reactor::new(&CoreConfig::default())?;
    let copied = reactor.run(|core| run(core, from, to))?;
    println!("copied {} MiB", copied >> 20);
    Ok(())
}

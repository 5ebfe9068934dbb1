//! What a file costs above its device: requests of 4 KiB through a file on `mem:` and through `mem:`.
//!
//! Prints nanoseconds for each request, of the best of several rounds. Run it with
//! `cargo bench -p byway-fs --bench file_cost`.

use std::future::Future;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::block::mem::MemDevice;
use byway_engine::block::{BlockDevice, Channel, Completions, Io, Op};
use byway_engine::core::{Core, CoreConfig};
use byway_engine::exec::Class;
use byway_engine::memory::ArenaConfig;
use byway_fs::file::{File, FileOptions, Files};
use byway_fs::mkfs::{MkfsOptions, mkfs};
use byway_fs::names::{self, New};
use byway_fs::volume::{MountOptions, Volume};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const BLOCK: u64 = 4096;
const SIZE: u64 = 64 << 20;
const DEPTH: u64 = 16;
const REQUESTS: u64 = 200_000;
const ROUNDS: usize = 7;

fn run<T: 'static>(core: &Rc<Core>, future: impl Future<Output = T> + 'static) -> T {
    let task = core.spawn(Class::Foreground, "example", future);
    loop {
        if let Some(value) = task.try_take() {
            return value;
        }
        core.turn(false);
    }
}

async fn file_on(core: Rc<Core>, device: Arc<dyn BlockDevice>) -> Outcome<(Volume, File)> {
    mkfs(&core, &*device, &MkfsOptions::default()).await?;
    let volume = Volume::mount(&core, device, MountOptions::default()).await?;
    let (root, new) = (volume.root(), New { mode: 0o644, uid: 0, gid: 0 });
    let made = volume.run(|op| names::create(op, root, b"image", new, true)).await?;
    let options = FileOptions { name: "fs:image".into(), ..FileOptions::default() };
    let file = Files::new(&volume).open(made.at, options).await?;
    file.truncate(SIZE).await?;
    Ok((volume, file))
}

/// Writes every byte and waits until it is durable, so that only overwriting is left.
fn fill(core: &Rc<Core>, channel: &mut dyn Channel) -> Outcome<()> {
    let mut done = Completions::new();
    let chunks = (0..SIZE / (1 << 20)).map(Some).chain([None]);
    for chunk in chunks {
        let lease = core.lease(1 << 20).ok_or("no memory")?;
        let io = chunk.map_or_else(Io::flush, |n| Io::write(n << 20, lease));
        channel.submit(io).map_err(|_| "the channel is full")?;
        while done.is_empty() {
            core.turn(false);
            channel.flush_submissions();
            channel.poll(&mut done);
        }
        done.pop().ok_or("nothing is done")?.result?;
    }
    Ok(())
}

/// Nanoseconds for each request of one round.
fn round(core: &Rc<Core>, channel: &mut dyn Channel, op: Op) -> Outcome<f64> {
    let mut done = Completions::with_capacity(DEPTH as usize);
    let mut ready: Completions = (0..DEPTH)
        .filter_map(|_| core.lease(BLOCK as u32))
        .map(|lease| Io::read(0, lease).done())
        .collect();
    let began = core.now();
    let mut at = 0_u64;
    for _ in 0..REQUESTS / DEPTH {
        for completion in ready.drain(..) {
            at = at.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let offset = (at >> 33) % (SIZE / BLOCK) * BLOCK;
            let payload = completion.payload;
            let io = if op == Op::Write {
                Io::write(offset, payload)
            } else {
                Io::read(offset, payload)
            };
            channel.submit(io).map_err(|_| "the channel is full")?;
        }
        channel.flush_submissions();
        while done.len() < DEPTH as usize {
            channel.poll(&mut done);
        }
        ready.append(&mut done);
    }
    Ok((core.now() - began) as f64 / REQUESTS as f64)
}

fn best(core: &Rc<Core>, channel: &mut dyn Channel, op: Op) -> Outcome<f64> {
    let rounds = (0..ROUNDS).map(|_| round(core, channel, op)).collect::<Outcome<Vec<_>>>()?;
    Ok(rounds.into_iter().fold(f64::INFINITY, f64::min))
}

fn main() -> Outcome<()> {
    let arena = ArenaConfig { len: 64 << 20, huge: false };
    let core = Core::new(&CoreConfig { arena, ..CoreConfig::default() })?;
    let bare = MemDevice::new(SIZE)?;
    let mut below = bare.open_channel(&core)?;
    fill(&core, &mut *below)?;
    let device: Arc<dyn BlockDevice> = Arc::new(MemDevice::new(4 * SIZE)?);
    let (volume, file) = run(&core, file_on(Rc::clone(&core), device))?;
    let mut above = file.open_channel(&core)?;
    fill(&core, &mut *above)?;
    let mut out = std::io::stdout().lock();
    for op in [Op::Read, Op::Write] {
        let (device, file) = (best(&core, &mut *below, op)?, best(&core, &mut *above, op)?);
        writeln!(out, "{op}: mem {device:.0} ns, file {file:.0} ns, {:+.0} ns", file - device)?;
    }
    drop(volume);
    core.shutdown();
    Ok(())
}

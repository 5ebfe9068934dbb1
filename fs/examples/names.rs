//! Creates and unlinks files in one directory of a volume in memory, and tells how long each took:
//! the cost of the operations themselves and of their commits' images, without a device.
//!
//! `cargo run --release -p byway-fs --example names`

use std::time::Instant;

use byway_fs::format::{GROUP_MAP_AT, Geometry, Kind, MODE_DIRECTORY, SLOTS};
use byway_fs::inode::{self, InodeRef, NewInode};
use byway_fs::names::{self, New};
use byway_fs::store::{FsError, Memory, Want};

/// Files.
const FILES: u32 = 100_000;
/// Operations between two commits.
const COMMIT_EVERY: u32 = 1000;

fn volume() -> Result<(Memory, InodeRef), FsError> {
    let geometry =
        Geometry { blocks: 1 << 20, group_blocks: 1 << 18, journal_blocks: 256, journals: 1 };
    let mut memory = Memory::new(geometry, [7; 16]);
    memory.run(|op| op.fresh(GROUP_MAP_AT, Want::new(Kind::GroupMap, 0), 0).map(drop))?;
    for slot in 0..SLOTS {
        let want = Want::new(Kind::Slot, u64::from(slot));
        memory.run(|op| op.fresh(geometry.slot_block(slot), want, 0).map(drop))?;
    }
    let mode = MODE_DIRECTORY | 0o755;
    let new = NewInode { mode, uid: 0, gid: 0, rdev: 0, parent: 0, nlink: 2 };
    let root = memory.run(|op| inode::create(op, new))?;
    Ok((memory, root))
}

/// Does something with the name of each file; tells the nanoseconds of each, and those without the
/// commits. `position` is where the next commit lies in the journal.
fn each(
    memory: &mut Memory,
    position: &mut u64,
    mut act: impl FnMut(&mut Memory, &[u8]) -> Result<(), FsError>,
) -> Result<(u128, u128), FsError> {
    let names: Vec<String> = (0..FILES).map(|number| format!("file-{number:06}")).collect();
    let (start, mut commits) = (Instant::now(), 0);
    for (done, name) in (1..).zip(&names) {
        act(memory, name.as_bytes())?;
        if done % COMMIT_EVERY == 0 {
            let begun = Instant::now();
            if let Some(batch) = memory.store().begin_commit(*position) {
                *position += batch.len();
                memory.store().commit_is_durable();
            }
            commits += begun.elapsed().as_nanos();
        }
    }
    let all = start.elapsed().as_nanos();
    Ok((all / u128::from(FILES), (all - commits) / u128::from(FILES)))
}

fn main() -> Result<(), FsError> {
    let (mut memory, root) = volume()?;
    let mut position = 0;
    let new = New { mode: 0o644, uid: 0, gid: 0 };
    let create = |memory: &mut Memory, name: &[u8]| {
        memory.run(|op| names::create(op, root, name, new, true)).map(drop)
    };
    let lookup =
        |memory: &mut Memory, name: &[u8]| memory.run(|op| names::lookup(op, root, name)).map(drop);
    let unlink =
        |memory: &mut Memory, name: &[u8]| memory.run(|op| names::unlink(op, root, name)).map(drop);
    let (all, alone) = each(&mut memory, &mut position, create)?;
    println!("create: {all} ns, {alone} ns without commits");
    let (_, alone) = each(&mut memory, &mut position, lookup)?;
    println!("lookup: {alone} ns");
    let (all, alone) = each(&mut memory, &mut position, unlink)?;
    println!("unlink: {all} ns, {alone} ns without commits");
    Ok(())
}

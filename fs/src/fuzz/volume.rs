//! A volume with damaged blocks, and operations on it: each ends, well or with an error.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::input::Input;
use super::{UUID, draft};
use crate::extents;
use crate::format::seal;
use crate::inode::{self, Finish, InodeRef};
use crate::names::{self, New, RenameMode};
use crate::space::{self, Goal};
use crate::store::{Block, FsError, Memory, Op, Stop};

/// Names in the directory that has an index.
const NAMES: u32 = 120;
/// Steps of one script.
const STEPS_MAX: usize = 40;

/// The sound volume: made once.
fn sound() -> &'static BTreeMap<u64, Block> {
    static SOUND: OnceLock<BTreeMap<u64, Block>> = OnceLock::new();
    SOUND.get_or_init(|| {
        let mut memory = Memory::after(draft().superblock().geometry, UUID, 1);
        memory.load(draft().everything());
        fill(&mut memory).expect("a sound volume takes all this");
        memory.commit();
        memory.take_blocks()
    })
}

fn root() -> InodeRef {
    let draft = draft();
    InodeRef { ino: draft.superblock().root_ino, generation: draft.superblock().root_generation }
}

/// An indexed directory, a file of many extents, a link, an orphan.
fn fill(memory: &mut Memory) -> Result<(), FsError> {
    let new = New { mode: 0o755, uid: 1, gid: 1 };
    let dir = memory.run(|op| names::mkdir(op, root(), b"many", new))?;
    for number in 0..NAMES {
        let name = format!("a name that takes some room: {number:06}");
        memory.run(|op| names::create(op, dir, name.as_bytes(), new, true).map(drop))?;
    }
    let file = memory.run(|op| names::create(op, root(), b"file", new, true))?.at;
    for lblock in 0..200 {
        memory.run(|op| add_block(op, file, lblock * 2))?;
    }
    memory.run(|op| names::symlink(op, root(), b"link", b"many", new).map(drop))?;
    memory.run(|op| names::create_orphan(op, root(), new).map(drop))?;
    Ok(())
}

fn add_block(op: &mut Op<'_>, file: InodeRef, lblock: u64) -> Result<(), Stop> {
    let goal = Goal { near: file.ino, len_min: 1, len_max: 1, align: 1 };
    let run = space::alloc_data(op, goal)?;
    extents::insert(op, file.ino, lblock, run, 0)
}

/// Edits of blocks, then a script of operations.
///
/// # Panics
/// Where a property does not hold.
pub fn fs_volume(data: &[u8]) {
    let mut input = Input::new(data);
    let mut blocks = sound().clone();
    let places: Vec<u64> = blocks.keys().copied().collect();
    for _ in 0..input.byte() % 8 {
        let at = places[usize::from(input.u16()) % places.len()];
        let block = blocks.get_mut(&at).expect("the place is one of the volume's");
        input.edit(block);
        seal(block.bytes_mut());
    }
    let mut memory = Memory::after(draft().superblock().geometry, UUID, 1000);
    memory.load(blocks.into_iter());
    for _ in 0..STEPS_MAX {
        let Some(step) = input.step() else { break };
        let name = name_of(input.byte());
        // Whatever the outcome is, it is one of those that an operation may have.
        let _ = memory.run(|op| operate(op, step, &name));
        if step & 0x80 != 0 {
            memory.commit();
        }
    }
}

fn name_of(byte: u8) -> Vec<u8> {
    match byte {
        0..=119 => format!("a name that takes some room: {byte:06}").into_bytes(),
        120..=139 => b"file".to_vec(),
        140..=159 => b"many".to_vec(),
        160..=179 => b"link".to_vec(),
        _ => format!("new {byte}").into_bytes(),
    }
}

fn operate(op: &mut Op<'_>, step: u8, name: &[u8]) -> Result<(), Stop> {
    let new = New { mode: 0o644, uid: 2, gid: 2 };
    let dir = match step & 1 {
        0 => root(),
        _ => names::lookup(op, root(), b"many")?.target,
    };
    match step >> 1 & 15 {
        0 => names::lookup(op, dir, name).map(drop),
        1 => names::readdir(op, dir, 0, 1000).map(drop),
        2 | 3 => names::create(op, dir, name, new, true).map(drop),
        4 | 5 => names::unlink(op, dir, name).map(drop),
        6 => names::mkdir(op, dir, name, new).map(drop),
        7 => names::rmdir(op, dir, name).map(drop),
        8 => names::rename(op, dir, name, root(), b"moved", RenameMode::Replace).map(drop),
        9 => names::rename(op, dir, name, root(), b"file", RenameMode::Exchange).map(drop),
        10 => finish_first(op),
        number => on_file(op, number),
    }
}

fn finish_first(op: &mut Op<'_>) -> Result<(), Stop> {
    let Some(orphan) = inode::next_orphan(op, 0, 0)? else { return Ok(()) };
    inode::finish_step(op, 0, orphan).map(|_: Finish| ())
}

/// Operations on the extents of the file.
fn on_file(op: &mut Op<'_>, number: u8) -> Result<(), Stop> {
    let file = names::lookup(op, root(), b"file")?.target;
    match number {
        11 => extents::lookup(op, file.ino, 100).map(drop),
        12 => add_block(op, file, 101),
        13 => extents::remove(op, file.ino, 10, 50).map(drop),
        14 => extents::next_hole(op, file.ino, 0).map(drop),
        _ => extents::convert(op, file.ino, 0, 400).map(drop),
    }
}

//! `counter DEVICE`: counts on a block device, as what runs in a guest that is moved.
//!
//! Each lane has a ring of blocks of its own and writes its next number into the next of them, past
//! every cache; then it reads that block and the one before. The first lane makes each number durable
//! and says `@@COUNT` with it after that; a lane that finds something else says `@@WRONG` and ends.

use std::fs::{File, OpenOptions};
use std::io::{Error, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

/// `O_DIRECT` on x86-64.
const DIRECT: i32 = 0o40000;
const BLOCK_LEN: usize = 4096;
/// Writers, and the blocks that each has.
const LANES: u64 = 4;
const RING: u64 = 256;

/// A block as the device takes it from memory.
#[repr(align(4096))]
struct Block([u8; BLOCK_LEN]);

fn main() {
    let path = std::env::args().nth(1).expect("a device to count on");
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let path = &path;
            scope.spawn(move || match count(path, lane) {
                Err(failure) => say(&format!("@@WRONG {failure}")),
                Ok(()) => say("@@WRONG a lane has ended"),
            });
        }
    });
}

/// Counts until something is wrong.
fn count(path: &str, lane: u64) -> Result<(), String> {
    let failed = |error: Error| format!("lane {lane}: {path}: {error}");
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).custom_flags(DIRECT).open(path).map_err(failed)?;
    let mut block = Block([0; BLOCK_LEN]);
    for number in 1_u64.. {
        for word in block.0.chunks_exact_mut(8) {
            word.copy_from_slice(&number.to_le_bytes());
        }
        file.write_all_at(&block.0, place(lane, number)).map_err(failed)?;
        if lane == 0 {
            file.sync_data().map_err(failed)?;
        }
        for expected in [number - 1, number] {
            let found = read(&file, &mut block, place(lane, expected)).map_err(failed)?;
            if found != Some(expected) {
                return Err(format!("lane {lane}: {found:?} where {expected} was written"));
            }
        }
        if lane == 0 {
            say(&format!("@@COUNT {number}"));
        }
    }
    Ok(())
}

/// Where a number is on the device.
fn place(lane: u64, number: u64) -> u64 {
    (lane * RING + number % RING) * BLOCK_LEN as u64
}

/// The number in a block, where all of it is one.
fn read(file: &File, block: &mut Block, offset: u64) -> Result<Option<u64>, Error> {
    file.read_exact_at(&mut block.0, offset)?;
    let mut words = block.0.chunks_exact(8);
    let first = words.next().expect("a block has words");
    let is_whole = words.all(|word| word == first);
    let number = u64::from_le_bytes(first.try_into().expect("a word has eight bytes"));
    Ok(is_whole.then_some(number))
}

/// One line, in one call.
fn say(line: &str) {
    let _lost = std::io::stdout().write_all(format!("{line}\n").as_bytes());
}

//! Writing the used part of a device once, before a run: what was never written may be answered from
//! a map of holes, and then a read says nothing about the device.

use byway_engine::SetupError;
use byway_engine::api::PollQueue;
use byway_engine::block::{BlockDevice, Io};
use byway_engine::core::CoreConfig;
use byway_engine::memory::ArenaConfig;

use super::Progress;
use crate::generator::split_mix;

/// Bytes of a write.
const CHUNK: u64 = 1 << 20;

/// Writes `len` bytes of `device` from its start, with content that does not compress. `progress`
/// shows how far it is on a terminal.
///
/// # Errors
/// Where a core or channel cannot be set up, or a write fails: named with its offset.
pub(super) fn fill(
    device: &dyn BlockDevice,
    len: u64,
    seed: u64,
    core: &CoreConfig,
    progress: bool,
) -> Result<(), SetupError> {
    let arena = ArenaConfig { len: 2 * CHUNK as usize + device.memory_len(), ..core.arena };
    let mut queue = PollQueue::open(device, &CoreConfig { arena, ..core.clone() })?;
    let bar = Progress::of_bytes(progress, len);
    let mut state = seed;
    let mut offset = 0;
    while offset < len {
        let chunk = CHUNK.min(len - offset);
        let lease = queue.lease(chunk as u32);
        let mut lease = lease.ok_or_else(|| no_memory(&device.info().name))?;
        for word in lease.chunks_exact_mut(8) {
            word.copy_from_slice(&split_mix(&mut state).to_ne_bytes());
        }
        queue.run_one(Io::write(offset, lease)).0.map_err(|error| failed(&error.to_string()))?;
        offset += chunk;
        bar.show_bytes(offset);
    }
    queue.run_one(Io::flush()).0.map_err(|error| failed(&error.to_string()))?;
    bar.end();
    Ok(())
}

fn no_memory(name: &str) -> SetupError {
    SetupError::new(name.to_owned(), "no buffer for the fill", "raise the limit of locked memory")
}

fn failed(error: &str) -> SetupError {
    SetupError::new("fill", error.to_owned(), "run without --fill, or look after the device")
}

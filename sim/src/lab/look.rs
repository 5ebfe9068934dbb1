//! Ways to a device under test, and what is looked at when all is over.

use std::cell::RefCell;
use std::rc::Rc;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::core::Core;
use byway_engine::memory::LEASE_LEN_MAX;
use byway_engine::sim::World;

use super::worker::Desk;
use super::{CELLS, Lab};
use crate::crash::cell;

/// The least piece of memory, in bytes.
const LEASE_LEN_MIN: u32 = 512;
/// Cells of one read of the last look.
const LOOK_CELLS: u64 = 8;
/// Attempts at the last flush and the last look.
const ATTEMPTS_MAX: u32 = 20;
/// The pause between two attempts, in nanoseconds.
const PAUSE_NS: u64 = 100_000_000;

/// Ways to the device.
pub(crate) fn desks(
    core: &Rc<Core>,
    device: &dyn BlockDevice,
    lab: &Rc<Lab>,
    count: usize,
    patience_ns: u64,
) -> Option<Vec<Rc<Desk>>> {
    let desk = |channel| {
        let disk = Disk::open(core, device).map_err(|error| lab.fail(error.to_string())).ok()?;
        let (core, lab) = (Rc::clone(core), Rc::clone(lab));
        Some(Rc::new(Desk { core, disk, channel, lab, patience_ns }))
    };
    (0..count).map(desk).collect()
}

/// In peace everything works again: each way flushes, and everything is read.
pub(crate) async fn settle_down(core: &Rc<Core>, desks: &[Rc<Desk>], lab: &Rc<Lab>) {
    let attempts = RefCell::new(ATTEMPTS_MAX * 2);
    let once_more = || {
        *attempts.borrow_mut() -= 1;
        if *attempts.borrow() == 0 {
            lab.fail("requests fail in peace".into());
        }
        !lab.has_failed()
    };
    for desk in desks {
        while !desk.flush().await && once_more() {
            core.sleep(PAUSE_NS).await;
        }
        for at in (0..CELLS).step_by(LOOK_CELLS as usize) {
            while !desk.read(at..at + LOOK_CELLS).await && once_more() {
                core.sleep(PAUSE_NS).await;
            }
        }
    }
}

/// The medium itself, and what a loss of power would leave of it.
pub(crate) fn last_look(world: &World, lab: &Lab) -> Result<(), String> {
    judge_medium(lab)?;
    lab.lose_cache(world.now());
    judge_medium(lab)
}

fn judge_medium(lab: &Lab) -> Result<(), String> {
    let (snapshot, mut bytes) = (lab.disk.visible_snapshot(), vec![0; lab.cell_len as usize]);
    for place in 0..CELLS {
        snapshot.read(place * u64::from(lab.cell_len), &mut bytes);
        let value = cell::decode(&bytes, lab.seed, place)?;
        let mut model = lab.model.borrow_mut();
        let began = model.now();
        model.read(place, began, value).map_err(|words| format!("at the end, {words}"))?;
    }
    Ok(())
}

/// Whether all memory of a core is free: what can be leased is all that there is.
pub(crate) fn arena_is_whole(core: &Core) -> Result<(), String> {
    let (mut held, mut free, mut len) = (Vec::new(), 0, LEASE_LEN_MAX);
    while len >= LEASE_LEN_MIN {
        match core.lease(len) {
            Some(lease) => {
                free += lease.len();
                held.push(lease);
            }
            None => len /= 2,
        }
    }
    let all = core.arena().stats().len;
    if free == all { Ok(()) } else { Err(format!("{} bytes of memory are not back", all - free)) }
}

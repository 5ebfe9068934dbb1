//! Wrappers between the workers and the disk, picked by chance for each life of the host.
//!
//! Invariant: no wrapper here breaks a promise, so the model stays the same. What is above the disk
//! in real life is tested on the way.

use std::sync::Arc;

use byway_engine::SetupError;
use byway_engine::block::BlockDevice;
use byway_engine::block::wrap::{Fault, FaultAction, FaultPlan, FaultRule, Slice};
use byway_engine::block::wrap::{Stats, Trace, Verify};
use byway_engine::sim::{Rng, SimDisk};

/// The most wrappers above the slice.
const WRAPPERS_MAX: u64 = 3;
/// Completions that a trace remembers.
const TRACE_EVENTS: usize = 64;

/// The `len` bytes of the disk from `offset` on, below some wrappers.
pub(super) fn stack(
    disk: &SimDisk,
    offset: u64,
    len: u64,
    rng: &mut Rng,
) -> Result<Arc<dyn BlockDevice>, SetupError> {
    let mut device: Arc<dyn BlockDevice> =
        Arc::new(Slice::new(Arc::new(disk.clone()), offset, len)?);
    for _ in 0..rng.below(WRAPPERS_MAX + 1) {
        device = wrapped(device, rng)?;
    }
    Ok(device)
}

fn wrapped(
    device: Arc<dyn BlockDevice>,
    rng: &mut Rng,
) -> Result<Arc<dyn BlockDevice>, SetupError> {
    Ok(match rng.below(5) {
        0 => Arc::new(Trace::new(device, TRACE_EVENTS)),
        1 => Arc::new(Stats::new(device)),
        2 => Arc::new(Verify::new(device)?),
        3 => Arc::new(disturbed(device, FaultAction::Jitter { ns_max: 100_000 }, rng)),
        _ => Arc::new(disturbed(device, FaultAction::Reorder { window: 4 }, rng)),
    })
}

fn disturbed(device: Arc<dyn BlockDevice>, action: FaultAction, rng: &mut Rng) -> Fault {
    Fault::new(device, FaultPlan::new(rng.next_u64()).rule(FaultRule::new(action)))
}

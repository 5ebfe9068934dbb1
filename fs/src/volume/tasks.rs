//! What a mounted volume does by itself: it makes everything durable now and then, and finishes what
//! a crash left half removed.

use std::rc::Rc;

use byway_engine::core::yield_now;

use super::run::run;
use super::shared::Shared;
use super::sync::sync;
use crate::format::SLOTS;
use crate::inode::{self, Finish};
use crate::store::FsError;

/// Makes everything durable at every interval.
pub(super) async fn every_interval(shared: Rc<Shared>) {
    loop {
        shared.sleep(shared.options.commit_interval_ns).await;
        if !shared.is_active() {
            return;
        }
        if let Err(error) = sync(&shared).await {
            // Whoever asks for durability hears of it again.
            tracing::warn!("{}: {error}", shared.disk.info().name);
        }
    }
}

/// Finishes orphans: those that crashes left, in every slot, and then its own slot's whenever it is
/// told that there are some.
pub(super) async fn finish_orphans(shared: Rc<Shared>) {
    for slot in 0..SLOTS {
        tell(&shared, finish_of(&shared, slot).await);
    }
    while shared.is_active() {
        shared.orphan_signal.wait().await;
        tell(&shared, finish_of(&shared, shared.slot).await);
    }
}

fn tell(shared: &Shared, finished: Result<(), FsError>) {
    if let Err(error) = finished
        && shared.is_active()
    {
        tracing::warn!("{}: orphans are left: {error}", shared.disk.info().name);
    }
}

/// Finishes the orphans of one slot that nobody has open, step by step.
async fn finish_of(shared: &Shared, slot: u16) -> Result<(), FsError> {
    let mut after = 0;
    while shared.is_active() {
        let next = run(shared, |op| inode::next_orphan(op, slot, after)).await?;
        let Some(orphan) = next else { break };
        match run(shared, |op| inode::finish_step(op, slot, orphan)).await? {
            Finish::More | Finish::Done => {}
            Finish::Open => after = orphan.ino,
        }
        yield_now().await;
    }
    Ok(())
}

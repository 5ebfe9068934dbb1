//! What a mounted volume does by itself: it makes everything durable now and then, and finishes what
//! a crash left half removed.

use std::rc::Rc;

use super::run::run;
use super::shared::Shared;
use super::sync::sync;
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

/// Finishes the orphans of this slot, step by step.
pub(super) async fn finish_orphans(shared: Rc<Shared>) -> Result<(), FsError> {
    let Some(step) = shared.options.finish_orphans else { return Ok(()) };
    while shared.is_active() && run(&shared, step).await? {
        byway_engine::core::yield_now().await;
    }
    Ok(())
}

//! Running one operation: what it lacks is fetched, and it runs again from its start.

use super::blocks::read_block;
use super::shared::Shared;
use crate::store::{FsError, Mode, Op, Stop, Want};

/// Runs an operation to its end.
pub(super) async fn run<T>(
    shared: &Shared,
    mut operation: impl FnMut(&mut Op<'_>) -> Result<T, Stop>,
) -> Result<T, FsError> {
    loop {
        if shared.is_frozen.get() {
            shared.bell.until(|| !shared.is_frozen.get()).await;
        }
        let now = shared.now();
        let outcome = shared.store.borrow_mut().run(now, &mut operation);
        match outcome {
            Ok(outcome) => {
                commit_if_long(shared);
                return Ok(outcome);
            }
            Err(Stop::Miss { bno, want }) => fetch(shared, bno, want).await?,
            Err(Stop::Lock { id, .. }) => shared.store.borrow_mut().granted(id, Mode::Exclusive),
            Err(Stop::Room) => shared.wait_for_room().await,
            Err(Stop::Fail(error)) => return Err(noted(shared, error)),
        }
    }
}

/// Runs an operation to its end where that needs no waiting.
pub(super) fn try_run<T>(
    shared: &Shared,
    operation: impl FnMut(&mut Op<'_>) -> Result<T, Stop>,
) -> Option<Result<T, FsError>> {
    if shared.is_frozen.get() {
        return None;
    }
    let outcome = shared.store.borrow_mut().run(shared.now(), operation);
    match outcome {
        Ok(outcome) => {
            commit_if_long(shared);
            Some(Ok(outcome))
        }
        Err(Stop::Fail(error)) => Some(Err(noted(shared, error))),
        Err(_) => None,
    }
}

/// A transaction that became long is committed without anybody asking for it.
fn commit_if_long(shared: &Shared) {
    let is_long = {
        let ring = shared.ring.borrow();
        let len = shared.store.borrow().running_len();
        ring.as_ref().is_some_and(|ring| len >= ring.commit_at())
    };
    if is_long {
        shared.want_commit();
    }
}

/// Damage that an operation met is remembered: the volume wants to be checked.
fn noted(shared: &Shared, error: FsError) -> FsError {
    if let FsError::Damaged(damage) = &error {
        tracing::error!("{}: {damage}", shared.disk.info().name);
        shared.needs_fsck.set(true);
    }
    error
}

/// Ends a read that nobody waits for any more.
struct Reading<'a> {
    shared: &'a Shared,
    bno: u64,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.shared.store.borrow_mut().abandon_read(self.bno);
        self.shared.bell.ring();
    }
}

/// Reads a block that an operation missed; whoever misses it too waits for the same read.
async fn fetch(shared: &Shared, bno: u64, want: Want) -> Result<(), FsError> {
    if shared.store.borrow().is_reading(bno) {
        shared.bell.until(|| !shared.store.borrow().is_reading(bno)).await;
        return Ok(());
    }
    if bno >= shared.store.borrow().geometry().blocks {
        let beyond = crate::store::Damage::field(bno, want, "place, beyond the volume");
        return Err(noted(shared, beyond.into()));
    }
    shared.store.borrow_mut().begin_read(bno);
    let reading = Reading { shared, bno };
    let block = read_block(&shared.disk, bno).await?;
    let arrived = shared.store.borrow_mut().arrived(bno, want, block);
    drop(reading);
    arrived.map_err(|damage| noted(shared, damage.into()))
}

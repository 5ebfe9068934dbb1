//! Ending a mount in order.

use std::rc::Rc;

use super::mount;
use super::run::run;
use super::shared::{Shared, Status};
use super::sync::sync;
use crate::format::{HEARTBEAT_GONE, SLOT_CLEAN};
use crate::journal::Head;
use crate::store::FsError;

/// Syncs, writes everything in place, and leaves journal, slot and heartbeat as of nobody.
pub(super) async fn unmount(shared: &Rc<Shared>) -> Result<(), FsError> {
    let status = shared.status.borrow().clone();
    match status {
        Status::Active => {}
        Status::ReadOnly | Status::Unmounted => {
            shared.end_with(Status::Unmounted);
            return Ok(());
        }
        Status::Withdrawn(reason) => {
            // The journal stays dirty: the next mount replays what is durable.
            shared.end_with(Status::Unmounted);
            return Err(reason);
        }
    }
    sync(shared).await?;
    let incarnation = shared.incarnation;
    run(shared, |op| mount::mark_slot(op, incarnation, SLOT_CLEAN)).await?;
    shared.store.borrow_mut().set_read_only();
    shared.place_all().await?;
    let head = shared.next_head(|head| Head { is_dirty: false, ..head });
    shared.write_head(head).await.map_err(FsError::Io)?;
    shared.end_with(Status::Unmounted);
    shared.beat(HEARTBEAT_GONE).await.map_err(FsError::Io)
}

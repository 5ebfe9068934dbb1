//! Making everything durable: data first, then what says that it is there.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use super::Volume;
use super::shared::Shared;
use crate::store::FsError;

/// A future on the volume's home core.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// What is to be done once the device was flushed: operations that say that data is there.
pub type AfterFlush = Box<dyn FnOnce(Volume) -> LocalFuture<Result<(), FsError>>>;

/// Somebody who has data on the device that no metadata speaks of yet.
pub trait SyncHook {
    /// Notes what is written by now, before the device is flushed; the answer is what turns it into
    /// metadata afterwards. `None` where there is nothing.
    fn gather(&self) -> Option<AfterFlush>;
}

/// Makes everything durable that was written or changed by now: a flush of the device for data, the
/// hooks' operations, one commit. Where there is no data, only the commit.
pub(super) async fn sync(shared: &Rc<Shared>) -> Result<(), FsError> {
    let hooks: Vec<Rc<dyn SyncHook>> = shared.hooks.borrow().clone();
    let gathered: Vec<AfterFlush> = hooks.iter().filter_map(|hook| hook.gather()).collect();
    if !gathered.is_empty() {
        flush(shared).await?;
    }
    for convert in gathered {
        convert(Volume::of(shared)).await?;
    }
    shared.commit().await
}

/// Makes every write durable that the device completed by now.
pub(super) async fn flush(shared: &Shared) -> Result<(), FsError> {
    let flushed = shared.disk.flush().await.map_err(FsError::Io);
    if let Err(error) = &flushed {
        // The device may have dropped what it had taken, and would not say so again.
        shared.withdraw(error.clone());
    }
    flushed
}

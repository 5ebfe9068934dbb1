//! Waking whoever waits for the volume to get somewhere.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Rung whenever something moved on; each waiter looks for itself whether that was it.
#[derive(Default)]
pub(super) struct Bell {
    waiters: RefCell<Vec<Waker>>,
}

impl Bell {
    /// Wakes everyone who waits.
    pub(super) fn ring(&self) {
        let waiters = std::mem::take(&mut *self.waiters.borrow_mut());
        waiters.into_iter().for_each(Waker::wake);
    }

    /// Ends once `is_so` holds.
    pub(super) async fn until(&self, mut is_so: impl FnMut() -> bool) {
        poll_fn(|cx| {
            if is_so() {
                return Poll::Ready(());
            }
            self.waiters.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

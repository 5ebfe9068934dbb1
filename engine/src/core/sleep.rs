//! Futures that wait for time: `sleep`, and `yield_now` for the next turn.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::Core;
use crate::timer::TimerKey;

/// Ends when the core's clock reaches its deadline, never earlier.
pub struct Sleep {
    core: Rc<Core>,
    deadline_ns: u64,
    timer: Option<TimerKey>,
}

impl Sleep {
    pub(super) fn new(core: Rc<Core>, deadline_ns: u64) -> Sleep {
        Sleep { core, deadline_ns, timer: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(key) = self.timer.take() {
            self.core.cancel_timer(key);
        }
        if self.core.now() >= self.deadline_ns {
            return Poll::Ready(());
        }
        self.timer = Some(self.core.set_timer(self.deadline_ns, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.timer.take() {
            self.core.cancel_timer(key);
        }
    }
}

/// Lets the other tasks run: long loops call it between pieces of work.
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

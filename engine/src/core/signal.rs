//! Waking one task from another on the same core, and waiting for either of a future and a moment.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::Core;

/// A flag that one task waits for. Raised before the task waits, it is not lost.
#[derive(Default)]
pub struct Signal {
    is_raised: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl Signal {
    /// Wakes the task that waits, or the next one that does.
    #[inline]
    pub fn raise(&self) {
        if self.is_raised.replace(true) {
            return;
        }
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }

    /// Ends once the signal was raised, and lowers it. One task waits at a time.
    pub async fn wait(&self) {
        poll_fn(|cx| {
            if self.is_raised.replace(false) {
                return Poll::Ready(());
            }
            *self.waiter.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// What `future` answers, or nothing where `deadline_ns` comes first; then the future is dropped.
pub async fn within<T>(
    core: &Rc<Core>,
    deadline_ns: u64,
    future: impl Future<Output = T>,
) -> Option<T> {
    let (mut future, mut deadline) = (pin!(future), pin!(core.sleep_until(deadline_ns)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => deadline.as_mut().poll(cx).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Class;
    use crate::sim::{World, WorldConfig};

    #[test]
    fn a_signal_raised_before_the_wait_is_not_lost() {
        let mut world = World::new(1, WorldConfig::default());
        let host = world.add_host("a");
        let done = world.start(host, |core| async move {
            let signal = Rc::new(Signal::default());
            signal.raise();
            signal.raise();
            signal.wait().await;
            let later = Rc::clone(&signal);
            let clock = Rc::clone(&core);
            core.spawn(Class::Foreground, "later", async move {
                clock.sleep(5_000_000).await;
                later.raise();
            });
            assert_eq!(within(&core, core.now() + 1_000_000, signal.wait()).await, None);
            signal.wait().await;
            core.now()
        });
        world.run_for(1_000_000_000).unwrap();
        assert!(done.try_take().is_some_and(|at| at >= 5_000_000));
    }
}

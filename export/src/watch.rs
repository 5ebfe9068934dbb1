//! Tasks of one core that wait for a condition which others make true.
//!
//! Whoever changes something that a condition looks at calls [`Watch::changed`]; every waiting task
//! then looks again. Nothing is allocated in the steady state.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Where tasks wait.
#[derive(Default)]
pub(crate) struct Watch {
    wakers: RefCell<Vec<Waker>>,
    is_awaited: Cell<bool>,
}

impl Watch {
    /// Something changed: all waiting tasks look again.
    #[inline]
    pub(crate) fn changed(&self) {
        if self.is_awaited.replace(false) {
            self.wake_all();
        }
    }

    fn wake_all(&self) {
        let mut wakers = std::mem::take(&mut *self.wakers.borrow_mut());
        wakers.drain(..).for_each(Waker::wake);
        let mut kept = self.wakers.borrow_mut();
        if kept.is_empty() {
            *kept = wakers;
        }
    }

    /// Ends when `condition` answers something.
    pub(crate) async fn until<T>(&self, mut condition: impl FnMut() -> Option<T>) -> T {
        poll_fn(|cx| match condition() {
            Some(value) => Poll::Ready(value),
            None => {
                self.wait(cx.waker());
                Poll::Pending
            }
        })
        .await
    }

    /// Wakes `waker` at the next change.
    pub(crate) fn wait(&self, waker: &Waker) {
        let mut wakers = self.wakers.borrow_mut();
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
        self.is_awaited.set(true);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use byway_engine::core::Core;
    use byway_engine::exec::Class;

    use super::*;

    #[test]
    fn all_waiting_tasks_look_again_after_a_change() {
        let core = Core::standalone().unwrap();
        let (watch, value) = (Rc::new(Watch::default()), Rc::new(Cell::new(0)));
        let tasks: Vec<_> = (1..=3)
            .map(|least| {
                let (watch, value) = (Rc::clone(&watch), Rc::clone(&value));
                core.spawn(Class::Foreground, "waits", async move {
                    watch.until(|| (value.get() >= least).then(|| value.get())).await
                })
            })
            .collect();
        core.turn(false);
        value.set(2);
        core.turn(false);
        assert!(tasks.iter().all(|task| !task.is_finished()), "nobody was told");
        watch.changed();
        core.turn(false);
        let ended: Vec<_> = tasks.iter().map(|task| task.try_take()).collect();
        assert_eq!(ended, [Some(2), Some(2), None]);
        core.shutdown();
    }
}

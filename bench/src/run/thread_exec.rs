//! A future on a plain thread, with timers: what drives the `Client` from outside of the reactor.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use byway_engine::core::Clock;

/// The timers of a thread. A timer fires while [`block_on`] runs on the thread.
pub(super) struct Timers {
    clock: Clock,
    waiting: RefCell<BinaryHeap<Timer>>,
}

struct Timer {
    due: u64,
    waker: Waker,
}

impl Timers {
    /// Room for `n` timers, so that waiting does not allocate.
    pub(super) fn new(clock: Clock, n: usize) -> Timers {
        Timers { clock, waiting: RefCell::new(BinaryHeap::with_capacity(n)) }
    }

    /// Ends when the clock reaches `due`, in nanoseconds.
    pub(super) async fn sleep_until(&self, due: u64) {
        std::future::poll_fn(|context| {
            if self.clock.now() >= due {
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            self.waiting.borrow_mut().push(Timer { due, waker });
            Poll::Pending
        })
        .await;
    }

    /// Wakes what is due; the time until the next timer otherwise.
    fn fire(&self) -> Option<Duration> {
        let now = self.clock.now();
        let mut waiting = self.waiting.borrow_mut();
        while let Some(timer) = waiting.peek() {
            if timer.due > now {
                return Some(Duration::from_nanos(timer.due - now));
            }
            waiting.pop().expect("it was peeked at").waker.wake();
        }
        None
    }
}

struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Atomic::AcqRel) {
            self.thread.unpark();
        }
    }
}

/// Runs `future` to its end on this thread, which sleeps while there is nothing to do.
pub(super) fn block_on<T>(timers: &Timers, future: impl Future<Output = T>) -> T {
    let unpark = Arc::new(Unpark { thread: std::thread::current(), woken: AtomicBool::new(true) });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if unpark.woken.swap(false, Atomic::AcqRel)
            && let Poll::Ready(value) = future.as_mut().poll(&mut context)
        {
            return value;
        }
        let next = timers.fire();
        if unpark.woken.load(Atomic::Acquire) {
            continue;
        }
        match next {
            Some(span) => std::thread::park_timeout(span),
            None => std::thread::park(),
        }
    }
}

impl Ord for Timer {
    /// The soonest is the greatest, as the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.due.cmp(&self.due)
    }
}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Timer {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_and_wakes_from_other_threads_arrive() {
        let timers = Timers::new(Clock::real(), 4);
        let order = RefCell::new(Vec::new());
        let after = |ns: u64| {
            let (timers, order) = (&timers, &order);
            let due = timers.clock.now() + ns;
            async move {
                timers.sleep_until(due).await;
                order.borrow_mut().push(ns);
            }
        };
        let all = futures_util::future::join_all([after(3_000_000), after(1000), after(0)]);
        block_on(&timers, all);
        let order = order.into_inner();
        assert_eq!(order.len(), 3);
        assert_eq!(order[2], 3_000_000);
    }
}

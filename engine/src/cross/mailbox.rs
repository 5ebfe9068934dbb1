//! A bounded queue from any thread to one task: for what is rare, such as connections and questions.
//!
//! Invariants: no lock is shared; what was put in is taken once, in order, also after the end. What is
//! put in at the very moment of the end may find no reader any more, and goes with the queue.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use crossbeam_queue::ArrayQueue;

/// A bounded queue from any thread to one task.
pub struct Mailbox<T> {
    queue: ArrayQueue<T>,
    reader: AtomicWaker,
    is_closed: AtomicBool,
}

impl<T> Mailbox<T> {
    /// An empty one that takes up to `len` things.
    #[must_use]
    pub fn new(len: usize) -> Mailbox<T> {
        Mailbox {
            queue: ArrayQueue::new(len),
            reader: AtomicWaker::new(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Puts something in and wakes the reader.
    ///
    /// # Errors
    /// Gives it back where the queue is full or has ended.
    pub fn put(&self, thing: T) -> Result<(), T> {
        if self.is_closed() {
            return Err(thing);
        }
        self.queue.push(thing)?;
        self.reader.wake();
        Ok(())
    }

    /// The next thing; nothing for good once the queue has ended and is empty. One task reads.
    pub async fn next(&self) -> Option<T> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<T>> {
        if let Some(thing) = self.queue.pop() {
            return Poll::Ready(Some(thing));
        }
        self.reader.register(cx.waker());
        // What came between the look and the registration woke nobody.
        let is_closed = self.is_closed();
        match self.queue.pop() {
            None if !is_closed => Poll::Pending,
            thing => Poll::Ready(thing),
        }
    }

    /// Takes something where there is anything, without waiting.
    pub fn try_next(&self) -> Option<T> {
        self.queue.pop()
    }

    /// Ends it: nothing more comes in.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.reader.wake();
    }

    /// True where nothing more comes in.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }
}

impl<T> fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({} of {})", self.queue.len(), self.queue.capacity())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::core::{CoreConfig, PollMode};
    use crate::memory::ArenaConfig;
    use crate::reactor::ReactorThread;

    #[test]
    fn what_other_threads_put_in_is_read_in_order_until_the_end() {
        let arena = ArenaConfig { len: 4 << 20, huge: false };
        let config = CoreConfig { arena, poll_mode: PollMode::Never, ..CoreConfig::default() };
        let reader = ReactorThread::start(config).unwrap();
        let mailbox = Arc::new(Mailbox::new(4));
        let (to, from) = (Arc::clone(&mailbox), mailbox);
        let writer = std::thread::spawn(move || {
            for n in 0..1000 {
                while to.put(n).is_err() {
                    std::thread::yield_now();
                }
            }
            to.close();
            assert_eq!(to.put(1000), Err(1000), "it has ended");
        });
        let all = reader.block_on(move |_| async move {
            let mut all = Vec::new();
            while let Some(n) = from.next().await {
                all.push(n);
            }
            all
        });
        writer.join().unwrap();
        assert_eq!(all, Some((0..1000).collect()));
    }

    #[test]
    fn a_full_one_gives_back() {
        let mailbox = Mailbox::new(1);
        assert_eq!((mailbox.put(1), mailbox.put(2)), (Ok(()), Err(2)));
        assert_eq!((mailbox.try_next(), mailbox.try_next()), (Some(1), None));
    }
}

//! The requests of one opened disk, by number.
//!
//! ```text
//! insert ──> Sent ── polled ──> Awaited ── completed ──> Done ── taken ──> Free
//!              ├── completed, not yet polled ─────────────^
//!              └── future dropped (from Awaited too) ──> Abandoned ── completed ──> Free
//! ```
//!
//! A completion is moved in once and out once: nothing else on the path of a request is copied.

use std::task::{Poll, Waker};

use crate::block::Completion;

const NONE: u32 = u32::MAX;

enum State {
    Free {
        next: u32,
    },
    /// On its way, and its future was not polled yet.
    Sent,
    Awaited(Waker),
    Done,
    /// On its way, and its future is gone.
    Abandoned,
}

/// What a completion meant.
pub(super) enum Settled {
    /// Its future was not polled yet and will find it.
    Unseen,
    /// Somebody waits for it.
    Awaited(Waker),
    /// Nobody does.
    Abandoned(Completion),
}

struct Request {
    state: State,
    /// There exactly while the state is `Done`. Beside the state, not inside, so that one copy of
    /// whole words moves it.
    done: Option<Completion>,
}

/// A slab that grows to the most requests that were alive at once.
pub(super) struct Requests {
    entries: Vec<Request>,
    free: u32,
}

impl Requests {
    pub(super) fn with_capacity(capacity: usize) -> Requests {
        Requests { entries: Vec::with_capacity(capacity), free: NONE }
    }

    /// A number for a request that is about to be sent; the one freed last, whose entry is warm.
    #[inline]
    pub(super) fn insert(&mut self) -> u32 {
        let number = self.free;
        let Some(entry) = self.entries.get_mut(number as usize) else {
            return self.grow();
        };
        let State::Free { next } = entry.state else {
            unreachable!("the free list is of free entries")
        };
        entry.state = State::Sent;
        self.free = next;
        number
    }

    #[cold]
    fn grow(&mut self) -> u32 {
        let number = u32::try_from(self.entries.len()).ok().filter(|&n| n != NONE);
        self.entries.push(Request { state: State::Sent, done: None });
        number.expect("fewer futures than numbers")
    }

    #[inline]
    fn entry(&mut self, number: u32) -> &mut Request {
        self.entries.get_mut(number as usize).expect("a number comes from here")
    }

    #[inline]
    fn release(&mut self, number: u32) {
        let next = std::mem::replace(&mut self.free, number);
        self.entry(number).state = State::Free { next };
    }

    /// The completion, if it came; else remembers whom to wake.
    #[inline]
    pub(super) fn poll(&mut self, number: u32, waker: &Waker) -> Poll<Completion> {
        match &mut self.entry(number).state {
            State::Done => {
                self.release(number);
                let done = self.entry(number).done.take();
                return Poll::Ready(done.expect("a request that is done has its completion"));
            }
            State::Awaited(known) => known.clone_from(waker),
            state => *state = State::Awaited(waker.clone()),
        }
        Poll::Pending
    }

    /// Notes a completion under the number that is its tag.
    #[inline]
    pub(super) fn settle(&mut self, completion: Completion) -> Settled {
        let number = completion.tag as u32;
        let entry = self.entry(number);
        match std::mem::replace(&mut entry.state, State::Done) {
            State::Sent => {
                entry.done = Some(completion);
                Settled::Unseen
            }
            State::Awaited(waker) => {
                entry.done = Some(completion);
                Settled::Awaited(waker)
            }
            State::Abandoned => {
                self.release(number);
                Settled::Abandoned(completion)
            }
            State::Done | State::Free { .. } => {
                unreachable!("a channel completes what was submitted, once")
            }
        }
    }

    /// The future is gone: gives out what nobody will take any more.
    pub(super) fn abandon(&mut self, number: u32) -> Option<Completion> {
        let entry = self.entry(number);
        let done = entry.done.take();
        match done {
            Some(_) => self.release(number),
            None => entry.state = State::Abandoned,
        }
        done
    }

    /// Frees a request that was not sent yet and that nobody waits for; true where it was one.
    pub(super) fn forget_if_abandoned(&mut self, number: u32) -> bool {
        let is_abandoned = matches!(self.entry(number).state, State::Abandoned);
        if is_abandoned {
            self.release(number);
        }
        is_abandoned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Io;

    fn completion(number: u32) -> Completion {
        Io::flush().with_tag(u64::from(number)).done()
    }

    #[test]
    fn a_completion_before_the_first_poll_is_found_by_it() {
        let mut requests = Requests::with_capacity(1);
        let number = requests.insert();
        assert!(matches!(requests.settle(completion(number)), Settled::Unseen));
        assert!(requests.poll(number, Waker::noop()).is_ready());
    }

    #[test]
    fn a_completion_after_a_poll_names_whom_to_wake() {
        let mut requests = Requests::with_capacity(1);
        let number = requests.insert();
        assert!(requests.poll(number, Waker::noop()).is_pending());
        assert!(matches!(requests.settle(completion(number)), Settled::Awaited(_)));
        assert!(requests.poll(number, Waker::noop()).is_ready());
    }

    #[test]
    fn an_abandoned_request_keeps_its_number_until_it_completes() {
        let mut requests = Requests::with_capacity(1);
        let number = requests.insert();
        assert!(requests.abandon(number).is_none());
        assert_ne!(requests.insert(), number);
        assert!(matches!(requests.settle(completion(number)), Settled::Abandoned(_)));
        assert_eq!(requests.insert(), number);
    }

    #[test]
    fn what_is_done_and_dropped_is_given_out() {
        let mut requests = Requests::with_capacity(1);
        let number = requests.insert();
        requests.settle(completion(number));
        assert!(requests.abandon(number).is_some());
        assert_eq!(requests.insert(), number);
    }

    #[test]
    fn a_held_request_is_forgotten_only_where_it_was_abandoned() {
        let mut requests = Requests::with_capacity(2);
        let (kept, dropped) = (requests.insert(), requests.insert());
        requests.abandon(dropped);
        assert!(!requests.forget_if_abandoned(kept));
        assert!(requests.forget_if_abandoned(dropped));
        assert_eq!(requests.insert(), dropped);
    }
}

//! Operations on a file that are no requests of a channel, and the tickets on which their results
//! come.

use std::future::{Future, poll_fn};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use super::policy::Policy;
use crate::inode::InodeRef;
use crate::store::FsError;

/// What is to be done.
#[derive(Debug)]
pub(super) enum Errand {
    /// The size in bytes is to be another one.
    Truncate(u64),
    /// Blocks are to have space, which reads as zeroes until it is written.
    Allocate(Range<u64>),
    /// Bytes are to read as zeroes; with `unmap`, whole blocks are given up.
    Zero { bytes: Range<u64>, unmap: bool },
    /// What is kept of the file's data is to follow this policy.
    SetPolicy(Policy),
    /// Everything written before is to be durable.
    Flush,
    /// What was written before is to be data when the volume's next commit is durable.
    Convert,
    /// The first byte of data from here on.
    SeekData(u64),
    /// The first byte of a hole from here on.
    SeekHole(u64),
    /// A new, empty file is to share everything that this one holds.
    CloneTo(InodeRef),
    /// Bytes from here on.
    ReadBytes { offset: u64, len: u32 },
    /// Bytes are to be written; where `offset` is none, behind the last one.
    WriteBytes { offset: Option<u64>, bytes: Vec<u8> },
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// It is done.
    Done,
    /// A place in the file, if there is one.
    Place(Option<u64>),
    /// Bytes of the file.
    Bytes(Vec<u8>),
}

/// Where a result comes in, on any core.
#[derive(Default)]
pub(super) struct Ticket(Mutex<Slot>);

#[derive(Default)]
struct Slot {
    result: Option<Result<Reply, FsError>>,
    waiter: Option<Waker>,
}

impl Ticket {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        // Every change below is whole before anything can panic.
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The result is there.
    pub(super) fn settle(&self, result: Result<Reply, FsError>) {
        let mut slot = self.lock();
        slot.result = Some(result);
        let waiter = slot.waiter.take();
        drop(slot);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// The result, when it is there.
    pub(super) fn wait(self: Arc<Self>) -> impl Future<Output = Result<Reply, FsError>> {
        poll_fn(move |cx| {
            let mut slot = self.lock();
            match slot.result.take() {
                Some(result) => Poll::Ready(result),
                None => {
                    slot.waiter = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
    }
}

//! Calls that may block, on a helper thread: what io_uring has no request for.
//!
//! The thread starts with the first such call of a channel and ends with the channel.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use crossbeam_queue::ArrayQueue;

use super::{FILE_DEPTH_MAX, Shared, status};
use crate::block::Extent;
use crate::core::CoreHandle;
use crate::error::IoError;

/// A call that blocks.
pub(super) enum Call {
    /// Which parts of a range hold data.
    Status { offset: u64, len: u64 },
    /// Discard of a block device (BLKDISCARD), where the kernel has no better way.
    Discard { offset: u64, len: u64 },
}

/// What came of a call.
pub(super) type Answer = Result<Vec<Extent>, IoError>;

/// A channel's helper thread.
pub(super) struct Offload {
    calls: Sender<(u32, Call)>,
    answers: Arc<ArrayQueue<(u32, Answer)>>,
}

impl Offload {
    /// Starts the thread.
    pub(super) fn start(shared: Arc<Shared>, core: CoreHandle) -> std::io::Result<Offload> {
        let (calls, inbox) = mpsc::channel();
        let answers = Arc::new(ArrayQueue::new(FILE_DEPTH_MAX as usize));
        let theirs = Arc::clone(&answers);
        let builder = std::thread::Builder::new().name("file-helper".into());
        builder.spawn(move || serve(&shared, core, &inbox, &theirs))?;
        Ok(Offload { calls, answers })
    }

    /// Sends a call; false where the thread is gone.
    pub(super) fn call(&self, slot: u32, call: Call) -> bool {
        self.calls.send((slot, call)).is_ok()
    }

    pub(super) fn pop(&self) -> Option<(u32, Answer)> {
        self.answers.pop()
    }

    pub(super) fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }
}

fn serve(
    shared: &Shared,
    core: CoreHandle,
    inbox: &Receiver<(u32, Call)>,
    answers: &ArrayQueue<(u32, Answer)>,
) {
    while let Ok((slot, call)) = inbox.recv() {
        let answer = match call {
            Call::Status { offset, len } => status::extents(shared, offset, len),
            Call::Discard { offset, len } => status::discard(shared, offset, len),
        };
        let fits = answers.push((slot, answer)).is_ok();
        assert!(fits, "there is room for an answer to every request");
        core.notify();
    }
}

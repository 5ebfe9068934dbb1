//! A core as others see it: its mailbox, its doorbell, its pulse.
//!
//! Mailboxes are static and used again by later cores, so that a wake-up for a core that is gone
//! finds a mailbox all the same, and the path needs no lock and no reference count.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use crossbeam_queue::ArrayQueue;

use super::doorbell::Doorbell;
use super::pulse::Pulse;
use crate::core::Core;
use crate::error::SetupError;
use crate::exec::{CORES_MAX, CoreId};

/// Calls waiting for one core.
pub const CALLS_MAX: usize = 1024;
/// Wake-ups from other threads waiting for one core; beyond, every task is woken.
const WAKES_MAX: usize = 4096;

/// Something for a core to do, sent from any thread.
pub type Call = Box<dyn FnOnce(&Rc<Core>) + Send>;

/// A call was not taken.
pub enum SendError {
    /// The mailbox is full: try again later.
    Full(Call),
    /// The core is gone.
    Gone(Call),
}

impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::Full(_) => "Full",
            SendError::Gone(_) => "Gone",
        })
    }
}

/// One core's mailbox and signs of life.
pub(crate) struct Remote {
    claimed: AtomicBool,
    /// Rises with every core that uses this mailbox: handles of earlier ones are refused.
    epoch: AtomicU64,
    pub(crate) doorbell: Doorbell,
    wakes: ArrayQueue<u64>,
    /// With the epoch each was sent to: a call never runs on a later core.
    calls: ArrayQueue<(u64, Call)>,
    wake_all: AtomicBool,
    ring_fd: AtomicI32,
    event: OnceLock<File>,
    pub(crate) pulse: Pulse,
}

static REMOTES: [OnceLock<Box<Remote>>; CORES_MAX] = [const { OnceLock::new() }; CORES_MAX];

impl Remote {
    fn new() -> Box<Remote> {
        Box::new(Remote {
            claimed: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            doorbell: Doorbell::new(),
            wakes: ArrayQueue::new(WAKES_MAX),
            calls: ArrayQueue::new(CALLS_MAX),
            wake_all: AtomicBool::new(false),
            ring_fd: AtomicI32::new(-1),
            event: OnceLock::new(),
            pulse: Pulse::default(),
        })
    }

    /// True where something waits for the core.
    pub(crate) fn has_mail(&self) -> bool {
        !self.wakes.is_empty() || !self.calls.is_empty() || self.wake_all.load(Ordering::Acquire)
    }

    pub(crate) fn pop_wake(&self) -> Option<u64> {
        self.wakes.pop()
    }

    /// The next call for the core of this epoch; calls for earlier ones are dropped.
    pub(crate) fn pop_call(&self) -> Option<Call> {
        let epoch = self.epoch();
        std::iter::from_fn(|| self.calls.pop()).find(|(sent_to, _)| *sent_to == epoch).map(|c| c.1)
    }

    /// True once after wake-ups were lost to a full queue.
    pub(crate) fn take_wake_all(&self) -> bool {
        self.wake_all.load(Ordering::Relaxed) && self.wake_all.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The descriptor that wakes the core's ring from a thread without one.
    pub(crate) fn event_fd(&self) -> Result<RawFd, SetupError> {
        if let Some(file) = self.event.get() {
            return Ok(file.as_raw_fd());
        }
        // SAFETY: eventfd takes two numbers and touches no memory of ours.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            let cause = std::io::Error::last_os_error().to_string();
            return Err(SetupError::new("eventfd", cause, "raise the limit of open files"));
        }
        // SAFETY: the descriptor was just made and is nobody else's.
        let file = unsafe { File::from_raw_fd(fd) };
        Ok(self.event.get_or_init(|| file).as_raw_fd())
    }

    /// Tells others which ring to wake; negative for none.
    pub(crate) fn set_ring(&self, fd: RawFd) {
        self.ring_fd.store(fd, Ordering::Release);
    }

    /// Wakes the core if it sleeps: a message between rings, or the eventfd.
    pub(crate) fn notify(&self) {
        if self.doorbell.must_wake() {
            self.ring_bell();
        }
    }

    fn ring_bell(&self) {
        let ring_fd = self.ring_fd.load(Ordering::Acquire);
        if ring_fd >= 0 && crate::core::wake_through_current_ring(ring_fd) {
            return;
        }
        if let Some(mut event) = self.event.get() {
            // A full counter means that a wake-up is pending already.
            let _pending_anyway = event.write(&1u64.to_ne_bytes());
        }
    }
}

/// Claims a free mailbox for a new core.
pub(crate) fn claim() -> Result<(CoreId, &'static Remote), SetupError> {
    for (index, cell) in REMOTES.iter().enumerate() {
        let remote = cell.get_or_init(Remote::new);
        if !remote.claimed.swap(true, Ordering::AcqRel) {
            remote.epoch.fetch_add(1, Ordering::AcqRel);
            return Ok((CoreId(index as u16), remote));
        }
    }
    Err(SetupError::new("core", format!("{CORES_MAX} cores are in use"), "use fewer cores"))
}

/// Gives a mailbox back; what is left in it is dropped.
pub(crate) fn release(remote: &'static Remote) {
    remote.set_ring(-1);
    remote.epoch.fetch_add(1, Ordering::AcqRel);
    while remote.wakes.pop().is_some() {}
    while let Some(call) = remote.calls.pop() {
        drop(call);
    }
    remote.doorbell.awake();
    remote.claimed.store(false, Ordering::Release);
}

pub(crate) fn get(core: CoreId) -> Option<&'static Remote> {
    REMOTES.get(core.index())?.get().map(|remote| &**remote)
}

/// Wakes a task of another core.
pub(crate) fn wake_task(core: CoreId, word: u64) {
    let Some(remote) = get(core) else { return };
    if remote.wakes.push(word).is_err() {
        remote.wake_all.store(true, Ordering::Release);
    }
    remote.notify();
}

/// Sends a call to the core that had `epoch` when its handle was made.
pub(crate) fn send(remote: &'static Remote, epoch: u64, call: Call) -> Result<(), SendError> {
    if remote.epoch() != epoch {
        return Err(SendError::Gone(call));
    }
    remote.calls.push((epoch, call)).map_err(|(_, call)| SendError::Full(call))?;
    remote.notify();
    Ok(())
}

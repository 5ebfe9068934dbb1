//! The sleep flag of a core: who must wake it, and when nobody needs to.
//!
//! The sleeper announces, then looks at its queues once more, then sleeps. The sender pushes, then
//! looks at the flag. Each side has a full fence between its store and its load, so at least one
//! of them sees the other (Dekker): either the sleeper finds the message, or the sender finds the
//! sleeper and wakes it.

use super::sync::{AtomicBool, Ordering, fence};

/// A core's sleep flag.
#[derive(Debug)]
pub struct Doorbell {
    sleeping: AtomicBool,
}

impl Default for Doorbell {
    fn default() -> Self {
        Doorbell::new()
    }
}

impl Doorbell {
    /// The doorbell of a core that is awake.
    pub fn new() -> Self {
        Doorbell { sleeping: AtomicBool::new(false) }
    }

    /// The core is about to sleep. It must look at its queues after this, before it sleeps.
    pub fn announce_sleep(&self) {
        self.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The core is awake.
    pub fn awake(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
    }

    /// Called after a push: true where the caller must wake the core. One caller is chosen.
    pub fn must_wake(&self) -> bool {
        fence(Ordering::SeqCst);
        self.sleeping.load(Ordering::Relaxed) && self.sleeping.swap(false, Ordering::Relaxed)
    }
}

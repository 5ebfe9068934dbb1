//! What one core gives to everything that runs on it: a clock, memory, a ring, timers, tasks.

mod clock;

pub use clock::Clock;

use std::rc::Rc;

use crate::error::SetupError;
use crate::memory::{Arena, ArenaConfig};

/// One core: shared by everything that runs on its thread, and by nothing else.
pub struct Core {
    clock: Clock,
    arena: Arena,
}

impl Core {
    /// A core without a kernel below it, on a clock that stands until it is advanced: for tests of
    /// devices that need no system call.
    pub fn standalone() -> Result<Rc<Core>, SetupError> {
        let arena = Arena::new(ArenaConfig { len: 8 << 20, huge: false })?;
        Ok(Rc::new(Core { clock: Clock::virtual_at(0), arena }))
    }

    /// Nanoseconds of this core's clock.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// The clock itself.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Memory for I/O on this core.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }
}

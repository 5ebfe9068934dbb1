//! The right to write: who of several servers of one device may change it.
//!
//! An export is open for reading at once, so that both sides of a live migration can be connected at
//! the same time. It takes the right at the first request that changes something, and lets it go when
//! another server asks, nothing is in flight and a flush has covered everything.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use byway_engine::core::Core;

/// Why the right was not given: names the thing, who has it, and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// An answer that is waited for on one core.
pub type Answer = Pin<Box<dyn Future<Output = Result<(), Refused>>>>;

/// Who may write to a device. One export has it, and asks for it again whenever it has let it go.
pub trait WriteRight {
    /// True where it is there from the start and is never given away.
    fn is_free(&self) -> bool {
        false
    }

    /// Takes the right, and waits for whoever has it, for a bounded time.
    fn acquire(self: Rc<Self>, core: Rc<Core>) -> Answer;

    /// True where somebody else asks for it. Called now and then while it is held.
    fn is_wanted(&self) -> bool;

    /// Lets it go.
    fn release(&self);
}

/// Nobody else is there: every write may go ahead.
#[derive(Clone, Copy, Debug, Default)]
pub struct FreeRight;

impl WriteRight for FreeRight {
    fn is_free(&self) -> bool {
        true
    }

    fn acquire(self: Rc<Self>, _core: Rc<Core>) -> Answer {
        Box::pin(std::future::ready(Ok(())))
    }

    fn is_wanted(&self) -> bool {
        false
    }

    fn release(&self) {}
}

//! Logical units looked at as they are, on raw sessions: what they say of themselves, and whether a
//! cluster may use them. Start at [`facts`] and [`check`].

mod ask;
pub mod check;
pub mod facts;

use byway_engine::SetupError;
use byway_engine::core::CoreConfig;
use byway_engine::reactor::Reactor;

/// A reactor for looking at units. Nobody else's work waits on it, so that it reports no stalls.
///
/// # Errors
/// As [`Reactor::new`].
pub fn reactor() -> Result<Reactor, SetupError> {
    Reactor::new(&CoreConfig { stall_ns: 0, ..CoreConfig::default() })
}

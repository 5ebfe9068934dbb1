//! Timers in a hierarchical wheel: what a reactor looks at once per turn.
//!
//! Pure: the time is an argument. Start at [`TimerWheel`].

mod slab;
mod wheel;

pub use slab::TimerKey;
pub use wheel::{TICK_NS, TimerWheel};

#[cfg(test)]
mod tests;

//! The world: cores, rings, buffers, sockets, time and block devices.
//!
//! Start at [`block`]: everything on the data path is a block device. Then [`core::Core`], what a
//! core gives to the devices opened on it, and the three levels of the interface.

pub mod block;
pub mod core;
pub mod error;
pub mod memory;
pub mod timer;

pub use error::{ErrorKind, IoError, SetupError};
pub use timer::{TimerKey, TimerWheel};

//! The world: cores, rings, buffers, sockets, time and block devices.
//!
//! Start at [`block`]: everything on the data path is a block device. Then [`core::Core`], what a
//! core gives to the devices opened on it, and the three levels of the interface.

pub mod api;
pub mod block;
pub mod core;
pub mod count_alloc;
pub mod cross;
pub mod error;
pub mod exec;
pub mod memory;
pub mod net;
pub mod reactor;
pub mod ring;
pub mod sim;
pub mod timer;
pub mod usage;

pub use error::{ErrorKind, IoError, SetupError};
pub use timer::{TimerKey, TimerWheel};

//! The NBD server: serves block devices to QEMU, to the kernel and to tools (NBD, 'Introduction').
//!
//! `Server::start` listens and serves on one reactor. The rules are machines of `byway-proto`; here
//! bytes move between streams, memory and devices.
//!
//! Invariants: the memory of a request has one owner at a time (stream, device or slot); a connection
//! is over only when the device has given everything back; in the steady state nothing is allocated.

mod config;
pub mod kernel;
mod right;
mod right_file;

pub use config::{ExportConfig, ListenOn, REQUESTS_MAX, ServerConfig, ServerLimits};
pub use right::{Answer, FreeRight, Refused, WriteRight};
pub use right_file::FileRight;

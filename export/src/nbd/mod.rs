//! The NBD server: serves block devices to QEMU, to the kernel and to tools (NBD, 'Introduction').
//!
//! [`Server::start`] listens and serves on one reactor; a [`Door`] joins those of several. The rules are machines of `byway-proto`; here
//! bytes move between streams, memory and devices. Follow a request: `incoming.rs` takes it and puts its
//! data in place, `execute.rs` asks the device, `outgoing.rs` sends the reply.
//!
//! Invariants: the memory of a request has one owner at a time (stream, device or slot); a connection
//! is over only when the device has given everything back; in the steady state nothing is allocated.

pub mod client;
mod config;
mod connection;
mod doors;
mod errno;
mod execute;
mod export;
mod guests;
mod handshake;
mod housekeeping;
mod incoming;
pub mod kernel;
mod mutation;
mod node;
mod outgoing;
mod right;
mod right_file;
mod right_shared;
mod serve;
mod server;
mod slot;
mod stats;
mod succession;
#[cfg(test)]
mod tests;
pub mod tls;
mod wire;

pub use config::{ExportConfig, ListenOn, REQUESTS_MAX, ServerConfig, ServerLimits, ServerTls};
pub use doors::Door;
pub use guests::Guests;
pub use mutation::Mutation;
pub use right::{Answer, FreeRight, Refused, WriteRight};
pub use right_file::FileRight;
pub use right_shared::SharedRight;
pub use server::{Server, ServerHandle};
pub use stats::{
    ConnectionCounts, ConnectionStats, ExportCounts, ExportStats, LATENCY_BUCKETS, ServerStats,
};

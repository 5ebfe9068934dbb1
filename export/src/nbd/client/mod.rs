//! An NBD export as a block device: one connection for each core that opens a channel.
//!
//! The rules are `byway_proto::nbd::client`; this room moves the bytes. Requests leave gathered, one
//! send per turn; replies are copied out of what was received, long runs go straight to their owner.
//! A lost connection is opened again, and what it did not finish is sent again in the order of
//! submission ([`NbdConfig::reconnect_ns`]); a write that may have been executed only where the server
//! says that no earlier copy of it is left. A flush that cannot vouch for what was lost says so.

mod carve;
mod channel;
mod config;
mod connect;
mod device;
mod intake;
mod keep;
mod line;
mod request;
mod send;
mod terms;

#[doc(hidden)]
pub use config::Mutation;
pub use config::{DEPTH, DEPTH_MAX, NbdConfig, RECONNECT_NS};
pub use device::NbdDevice;

//! What the client is told.

use byway_engine::net::Address;

/// Requests in flight of one connection where nothing else is said.
pub const DEPTH: u16 = 256;
/// The most requests in flight of one connection.
pub const DEPTH_MAX: u16 = 1024;
/// For how long a lost connection is waited for where nothing else is said, in nanoseconds.
pub const RECONNECT_NS: u64 = 60_000_000_000;

/// An export of a server, and how to deal with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NbdConfig {
    /// What error messages call the device: its URI.
    pub name: String,
    /// Where the server listens.
    pub address: Address,
    /// The export's name; empty for the server's default.
    pub export: String,
    /// Channels, and with them connections, that may be open at once. A server that does not promise
    /// that a flush covers all connections (`NBD_FLAG_CAN_MULTI_CONN`) gets one, unless nothing can
    /// be written.
    pub connections_max: u32,
    /// Requests in flight of one connection, at most [`DEPTH_MAX`].
    pub depth: u16,
    /// For how long requests wait for a lost connection before they fail, in nanoseconds.
    pub reconnect_ns: u64,
    /// Refuse writes.
    pub read_only: bool,
    /// For tests of checkers alone.
    #[doc(hidden)]
    pub mutation: Option<Mutation>,
}

/// A rule that is broken on purpose, so that a simulation can prove that it would notice.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Writes are sent again although the server may still execute their earlier copies.
    ReplayUnsure,
    /// Flushes go well over a loss of the server's cache.
    LossUntold,
}

impl NbdConfig {
    /// `export` of the server at `address`, with everything else as usual.
    pub fn new(address: Address, export: &str) -> NbdConfig {
        NbdConfig {
            name: format!("nbd:{address}/{export}"),
            address,
            export: export.to_owned(),
            connections_max: 64,
            depth: DEPTH,
            reconnect_ns: RECONNECT_NS,
            read_only: false,
            mutation: None,
        }
    }
}

//! The NBD client device against the NBD server, while the network, the server and its disk fail.
//!
//! The promises, checked from outside: every request ends once, in bounded time, and as its kind of
//! failure says; what the export holds is what the model of `crash` allows; no copy of a write is
//! executed after the write was handed back (`lab`); a flush does not go well over a loss of the
//! server's cache that nobody was told of; at the end neither side holds a connection, a request or
//! memory.

mod client;
mod server;
mod story;
mod trouble;

pub use byway_export::nbd::Mutation as ServerMutation;
pub(crate) use story::run;

/// A rule that client or server breaks on purpose, so that the checkers can prove that they notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NbdMutation {
    /// Every rule is kept.
    #[default]
    None,
    /// The client sends a write again without knowing the end of its earlier copy.
    ReplayUnsure,
    /// The client does not tell that the server may have lost its cache.
    LossUntold,
    /// The server breaks one of its rules.
    Server(ServerMutation),
}

impl NbdMutation {
    /// Every mutation that breaks something.
    pub const ALL: [NbdMutation; 7] = [
        NbdMutation::ReplayUnsure,
        NbdMutation::LossUntold,
        NbdMutation::Server(ServerMutation::WriteEarly),
        NbdMutation::Server(ServerMutation::FlushEarly),
        NbdMutation::Server(ServerMutation::RequestLost),
        NbdMutation::Server(ServerMutation::SlotLeaked),
        NbdMutation::Server(ServerMutation::ConnectionLeaked),
    ];
}

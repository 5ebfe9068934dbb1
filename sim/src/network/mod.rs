//! Checked transfers over a bad network: clients send messages, a server answers each.
//!
//! Links are cut one way or both, connections reset, the server crashes, hosts stall. Checked from
//! outside: a message arrives whole or not at all, in order within a connection; what a client
//! holds for acknowledged was received with the same bytes; once the network is healed everything
//! is acknowledged in bounded time.

mod client;
mod ledger;
mod message;
mod server;
mod story;

pub(crate) use story::run;

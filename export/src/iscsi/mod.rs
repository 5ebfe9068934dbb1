//! The iSCSI target (RFC 7143): serves block devices to initiators over TCP.
//!
//! [`Target::start`] runs one target node on one reactor. The rules are machines of `byway-proto`;
//! here bytes move between streams, memory and devices. Follow a command: `incoming.rs` puts its
//! data in place, `execute.rs` asks the logical unit and the device, `outgoing.rs` sends the answer.
//!
//! Invariants: a task's memory has one owner at a time (stream, device or slot); a session is over
//! only when the device has given everything back; in the steady state nothing is allocated.

mod absent;
mod config;
mod connection;
mod exclusion;
mod execute;
mod faults;
mod housekeeping;
mod identity;
mod incoming;
mod ledger;
mod login;
mod manage;
mod node;
mod outgoing;
mod rare;
mod result;
mod serve;
mod slot;
mod state;
mod stats;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod turns;
mod unit;

pub use config::{
    Entropy, LunConfig, PortalConfig, TargetConfig, TargetLimits, UNIT_NUMBER_MAX, UNITS_MAX,
};
pub use faults::{Faults, Lie};
pub use state::{Saving, StateFolder, StateStore};
pub use stats::{SessionCounts, SessionStats};
pub use target::{Target, TargetHandle, open_to_everyone};

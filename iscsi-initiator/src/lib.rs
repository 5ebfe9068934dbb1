//! An iSCSI LUN as a block device, over TCP, from user space.
//!
//! Invariants: a session belongs to one core and shares nothing with others; every accepted request
//! completes exactly once; a write is handed back, or sent again, only when the target can no longer
//! execute the copy that was sent before (its task answered, was aborted, or its session was
//! reinstated); compare-and-write and changes of reservations are never sent twice.
//!
//! Start at [`IscsiDevice`]. `path.rs` keeps one way to the LUN alive, `dispatch.rs` hands requests
//! to ways and decides what an answer means, `link.rs` moves the bytes of one connection. The rules
//! of the protocol are in `byway_proto`.

#![forbid(unsafe_code)]

mod answer;
mod attention;
mod channel;
mod cold;
mod config;
mod control;
mod depth;
mod device;
mod discovery;
mod dispatch;
mod flight;
mod gather;
mod intake;
mod link;
mod login;
mod path;
mod raw;
mod request;
mod reserve;
mod send;
mod status;
mod survey;
mod translate;

#[doc(hidden)]
pub use config::Mutation;
pub use config::{ChapConfig, ChapPeer, Digests, IscsiConfig, TASKS_MAX, Timeouts};
pub use device::IscsiDevice;
pub use discovery::{DiscoveredTarget, discover};
pub use raw::{RawData, RawEnd, RawSession};
pub use status::{PathState, PathStatus};

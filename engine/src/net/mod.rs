//! Streams and listeners, TCP and Unix.
//!
//! Invariants: an operation owns its buffers until its last completion, and gives them back; a
//! descriptor stays open as long as a request names it; in the steady state a send or a receive
//! allocates nothing (each direction of a stream has its message, made once).
//!
//! Start at [`Stream`]. `lane.rs` holds what happens when a future is dropped, `request.rs` and
//! `buffer_ring.rs` the unsafe ends.

mod address;
mod buffer_ring;
mod error;
mod inbox;
mod kernel;
mod lane;
mod listener;
mod message;
mod netlink;
mod outbox;
mod parked;
mod pool;
mod reading;
mod receiver;
mod request;
mod simulated;
mod socket;
mod stream;
mod unix;

pub use address::Address;
pub use error::{NetError, NetErrorKind};
pub use inbox::{INBOX_LEN, Inbox};
pub use listener::{ListenOptions, Listener};
pub use netlink::{NETLINK_DATAGRAM_MAX, Netlink};
pub use outbox::{OUTBOX_COPY_MAX, Outbox};
pub use parked::Parked;
pub use pool::{CHUNKS_MAX, Chunk, PoolOptions, ReceivePool};
pub use reading::ReadWatch;
pub use receiver::Receiver;
pub use stream::Stream;

#[cfg(test)]
mod tests;

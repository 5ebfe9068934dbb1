//! Attaching an NBD export to the kernel: `/dev/nbdN` by netlink, over several sockets.
//!
//! Everything here blocks and belongs to a thread of its own, never to a reactor: a request to the
//! driver may wait for I/O of the device. Three orders hold, each for a trap of the driver:
//! a socket is offered only where one is dead, since the driver drops it silently otherwise; sockets
//! go before a change of size, which may wait for requests that wait for sockets; and what takes a
//! device up again names its backend, as it was named when the device was connected.

mod attachment;
mod backend;
mod control;
mod dial;
mod disk;
mod held;
mod terms;
#[cfg(test)]
mod tests;

pub use attachment::{AttachConfig, Attachment, CONNECTIONS_MAX, Tended};
pub use backend::Backend;
pub use control::{Control, Links};
pub use disk::{Disk, device_index};

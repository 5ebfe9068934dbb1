//! The waist: everything on the data path is a block device.
//!
//! Invariants: one completion per accepted request, exactly once, with its segments given back;
//! a channel belongs to one core and needs no lock; requests in flight at the same time are not
//! ordered among each other; a completed flush makes every write durable that completed before
//! the flush was submitted, a completed write with `fua` is durable itself.

mod channel;
mod cursor;
mod extent;
mod gate;
mod info;
mod io;
mod payload;
mod reservation;
mod tags;

pub mod file;
pub mod mem;
pub mod null;
pub mod wrap;

pub use channel::{BlockDevice, Channel, DeviceEvent, WaitSource};
pub use extent::{Extent, ExtentKind};
pub use gate::{Closing, WriteGate};
pub use info::{Capabilities, DeviceInfo};
pub use io::{Completion, Completions, Io, IoResult, Op, Outcome};
pub use payload::{Payload, SEGMENTS_MAX, SegmentList};
pub use reservation::{
    Registration, ReservationIn, ReservationOut, ReservationReport, ReservationType,
};
pub use tags::TagTable;

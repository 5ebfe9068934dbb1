//! The two traits of the waist.
//!
//! A `BlockDevice` is shared between cores and says what it is; a `Channel` is one core's way into
//! it. The waist is dyn-safe and batched: requests are gathered by `submit`, leave together at
//! `flush_submissions` (one doorbell, one `io_uring_enter`, one gathered send), and come back
//! together through `poll`.

use std::rc::Rc;

use super::{Completions, DeviceInfo, Io};
use crate::core::Core;
use crate::error::SetupError;

/// A device: geometry, abilities, and channels for the cores that want to use it.
pub trait BlockDevice: Send + Sync {
    /// Geometry and abilities as of now; the size changes when the device is resized.
    fn info(&self) -> DeviceInfo;

    /// Opens this core's way into the device.
    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError>;

    /// Bytes of a core's arena that a channel takes for itself, beside the memory of requests.
    fn memory_len(&self) -> usize {
        0
    }

    /// True where zeroes take a time that does not grow with their data: no part of them is written.
    fn zeroes_fast(&self) -> bool {
        false
    }

    /// Looks again at what may change from outside: the size. Channels report a change as an event.
    fn rescan(&self) -> Result<(), SetupError> {
        Ok(())
    }
}

/// What a sleeping core must wait for so as not to miss this channel's completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitSource {
    /// The core's ring wakes it.
    Ring,
    /// Nothing wakes it: poll again at once.
    Poll,
    /// Nothing happens before this time in nanoseconds of the core's clock.
    Until(u64),
}

/// Something that happened to the device by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceEvent {
    /// The size in bytes is another one now.
    Resized {
        /// The new size in bytes.
        size: u64,
    },
    /// Somebody changed registrations or the reservation: read them again.
    ReservationsChanged,
}

/// One core's way into a device.
pub trait Channel {
    /// Accepts a request, or gives it back while the channel is full (its depth is in flight):
    /// poll, then submit again. A request that cannot be served is accepted and completes with an
    /// error, so that there is one place where errors appear.
    fn submit(&mut self, io: Io) -> Result<(), Io>;

    /// Sends what was gathered. Called once per turn.
    fn flush_submissions(&mut self);

    /// Appends what is done to `done`.
    fn poll(&mut self, done: &mut Completions);

    /// Requests accepted and not yet given back by `poll`.
    fn in_flight(&self) -> u32;

    /// What to wait for while requests are in flight.
    fn wait_source(&self) -> WaitSource {
        WaitSource::Ring
    }

    /// The next event of the device, once.
    fn take_event(&mut self) -> Option<DeviceEvent> {
        None
    }
}

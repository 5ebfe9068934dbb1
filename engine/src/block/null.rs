//! `null:`: a device of zeroes that forgets writes: what the path above it costs.
//!
//! Reads leave the payload as it is (its bytes are whatever the lease held), as the purpose is to
//! measure the path and not a memory fill.

use std::rc::Rc;

use super::{
    BlockDevice, Capabilities, Channel, Completions, DeviceInfo, Extent, ExtentKind, Io, Op,
    Outcome, WaitSource,
};
use crate::core::Core;
use crate::error::{ErrorKind, SetupError};

/// Requests that one channel holds until they are polled.
pub const NULL_DEPTH_MAX: u32 = 4096;

/// A device that completes everything at once.
#[derive(Debug)]
pub struct NullDevice {
    size: u64,
}

impl NullDevice {
    /// A device of `size` bytes.
    pub fn new(size: u64) -> Self {
        NullDevice { size }
    }
}

impl BlockDevice for NullDevice {
    fn zeroes_fast(&self) -> bool {
        true
    }

    fn info(&self) -> DeviceInfo {
        DeviceInfo {
            name: format!("null:{}", self.size),
            size: self.size,
            block_len: 512,
            atomic_len: 4096,
            optimal_len: 4096,
            io_len_max: u32::MAX,
            depth_max: NULL_DEPTH_MAX,
            read_only: false,
            can: Capabilities {
                fua: true,
                discard: true,
                write_zeroes: true,
                block_status: true,
                ..Capabilities::default()
            },
        }
    }

    fn open_channel(&self, _core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        let done = Vec::with_capacity(NULL_DEPTH_MAX as usize);
        Ok(Box::new(NullChannel { size: self.size, done }))
    }
}

struct NullChannel {
    size: u64,
    done: Completions,
}

impl Channel for NullChannel {
    #[inline]
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        if self.done.len() == NULL_DEPTH_MAX as usize {
            return Err(io);
        }
        let inside = io.offset.checked_add(io.len).is_some_and(|end| end <= self.size);
        self.done.push(if inside && matches!(io.op, Op::Read | Op::Write) {
            io.done()
        } else {
            complete_rare(io, inside)
        });
        Ok(())
    }

    fn flush_submissions(&mut self) {}

    #[inline]
    fn poll(&mut self, done: &mut Completions) {
        if done.is_empty() {
            std::mem::swap(done, &mut self.done);
        } else {
            done.append(&mut self.done);
        }
    }

    fn in_flight(&self) -> u32 {
        self.done.len() as u32
    }

    fn wait_source(&self) -> WaitSource {
        WaitSource::Poll
    }
}

#[cold]
fn complete_rare(io: Io, inside: bool) -> super::Completion {
    match io.op {
        op if op.has_range() && !inside => {
            io.failed(ErrorKind::Range, "null: the request ends beyond the device")
        }
        Op::BlockStatus => {
            let hole = Extent { offset: io.offset, len: io.len, kind: ExtentKind::Hole };
            io.done_with(Outcome::Extents(Box::new(vec![hole])))
        }
        Op::CompareAndWrite | Op::ReservationIn | Op::ReservationOut => {
            io.failed(ErrorKind::Unsupported, "null: remembers nothing to compare or reserve")
        }
        _ => io.done(),
    }
}

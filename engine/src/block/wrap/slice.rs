//! A window on a device: a partition, without the table.

use std::rc::Rc;
use std::sync::Arc;

use super::super::{
    BlockDevice, Channel, Completion, Completions, DeviceEvent, DeviceInfo, Io, Op, Outcome,
    WaitSource,
};
use crate::core::Core;
use crate::error::{ErrorKind, SetupError};

/// `len` bytes of a device from `offset` on.
pub struct Slice {
    inner: Arc<dyn BlockDevice>,
    window: Window,
}

#[derive(Clone, Copy)]
struct Window {
    offset: u64,
    len: u64,
}

impl Window {
    /// How much of the window the device has when it is `size` bytes long.
    fn visible(self, size: u64) -> u64 {
        size.saturating_sub(self.offset).min(self.len)
    }
}

impl Slice {
    /// The window of `len` bytes at `offset`, both multiples of the device's block; fails where it
    /// is not aligned or ends beyond the device.
    pub fn new(inner: Arc<dyn BlockDevice>, offset: u64, len: u64) -> Result<Slice, SetupError> {
        let info = inner.info();
        let thing = || format!("{} bytes at {offset} of {}", len, info.name);
        if !(offset | len).is_multiple_of(u64::from(info.block_len)) {
            let remedy = format!("use multiples of {} bytes", info.block_len);
            return Err(SetupError::new(thing(), "not aligned to the device's blocks", remedy));
        }
        if offset.checked_add(len).is_none_or(|end| end > info.size) {
            let problem = format!("ends beyond the device of {} bytes", info.size);
            return Err(SetupError::new(thing(), problem, "use a smaller offset or length"));
        }
        Ok(Slice { inner, window: Window { offset, len } })
    }
}

impl BlockDevice for Slice {
    fn info(&self) -> DeviceInfo {
        let info = self.inner.info();
        let aligned = 1u64 << self.window.offset.trailing_zeros().min(31);
        DeviceInfo {
            size: self.window.visible(info.size),
            // What crosses an atomic unit of the device is not atomic in the window.
            atomic_len: info.atomic_len.min(aligned as u32),
            ..info
        }
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        let info = self.info();
        let refused = Vec::with_capacity(info.depth_max as usize);
        let inner = self.inner.open_channel(core)?;
        Ok(Box::new(SliceChannel { inner, window: self.window, seen_size: info.size, refused }))
    }

    fn memory_len(&self) -> usize {
        self.inner.memory_len()
    }

    fn zeroes_fast(&self) -> bool {
        self.inner.zeroes_fast()
    }

    fn rescan(&self) -> Result<(), SetupError> {
        self.inner.rescan()
    }
}

struct SliceChannel {
    inner: Box<dyn Channel>,
    window: Window,
    seen_size: u64,
    /// Requests outside of the window, done with an error.
    refused: Completions,
}

impl SliceChannel {
    fn refuse(&mut self, io: Io) -> Result<(), Io> {
        if self.refused.len() == self.refused.capacity() {
            return Err(io);
        }
        let why = format!("slice: the request ends beyond the window of {} bytes", self.window.len);
        self.refused.push(io.failed(ErrorKind::Range, why));
        Ok(())
    }
}

impl Channel for SliceChannel {
    fn submit(&mut self, mut io: Io) -> Result<(), Io> {
        if !io.op.has_range() {
            return self.inner.submit(io);
        }
        if io.offset.checked_add(io.len).is_none_or(|end| end > self.window.len) {
            return self.refuse(io);
        }
        let offset = io.offset;
        io.offset += self.window.offset;
        self.inner.submit(io).map_err(|io| Io { offset, ..io })
    }

    fn flush_submissions(&mut self) {
        self.inner.flush_submissions();
    }

    fn poll(&mut self, done: &mut Completions) {
        done.append(&mut self.refused);
        let start = done.len();
        self.inner.poll(done);
        done[start..].iter_mut().for_each(|completion| shift_back(completion, self.window.offset));
    }

    fn in_flight(&self) -> u32 {
        self.inner.in_flight() + self.refused.len() as u32
    }

    fn wait_source(&self) -> WaitSource {
        if self.refused.is_empty() { self.inner.wait_source() } else { WaitSource::Poll }
    }

    fn take_event(&mut self) -> Option<DeviceEvent> {
        while let Some(DeviceEvent::Resized { size }) = self.inner.take_event() {
            let size = self.window.visible(size);
            if size != std::mem::replace(&mut self.seen_size, size) {
                return Some(DeviceEvent::Resized { size });
            }
        }
        None
    }
}

/// Turns the device's offsets into the window's.
#[inline]
fn shift_back(completion: &mut Completion, by: u64) {
    match &mut completion.result {
        Ok(Outcome::Extents(extents)) => extents.iter_mut().for_each(|e| e.offset -= by),
        Err(error) if Op::has_range(error.op) => error.offset = error.offset.saturating_sub(by),
        _ => {}
    }
}

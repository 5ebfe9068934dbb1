//! Lab protocols: a wrapper on a memory device, on a core whose clock stands until it is advanced.

mod fault;
mod model;
mod observers;
mod slice;
mod verify;

use std::rc::Rc;
use std::sync::Arc;

use crate::block::mem::MemDevice;
use crate::block::{
    BlockDevice, Channel, Completion, Completions, Io, IoResult, Outcome, Payload, SegmentList,
    WaitSource,
};
use crate::core::Core;
use crate::error::ErrorKind;
use crate::memory::Lease;

/// One core with a channel.
struct Lab {
    core: Rc<Core>,
    channel: Box<dyn Channel>,
}

fn mem(size: u64) -> Arc<MemDevice> {
    Arc::new(MemDevice::new(size).unwrap())
}

fn kind(result: &IoResult) -> ErrorKind {
    result.as_ref().unwrap_err().kind
}

impl Lab {
    fn on(device: &dyn BlockDevice) -> Lab {
        let core = Core::standalone().unwrap();
        let channel = device.open_channel(&core).unwrap();
        Lab { core, channel }
    }

    /// All leases are of one class, as each class takes a chunk of the arena for good.
    fn lease(&self, len: u32, value: u8) -> Lease {
        let mut lease = self.core.arena().lease(64 << 10).unwrap();
        lease.set_len(len);
        lease.fill(value);
        lease
    }

    fn submit(&mut self, io: Io) {
        self.channel.submit(io).unwrap();
    }

    fn poll(&mut self) -> Completions {
        let mut done = Completions::new();
        self.channel.flush_submissions();
        self.channel.poll(&mut done);
        done
    }

    fn run(&mut self, io: Io) -> Completion {
        self.submit(io.with_tag(7));
        let mut done = self.poll();
        assert_eq!((done.len(), done[0].tag), (1, 7));
        done.remove(0)
    }

    fn write(&mut self, offset: u64, len: u32, value: u8) -> IoResult {
        let lease = self.lease(len, value);
        self.run(Io::write(offset, lease)).result
    }

    fn read(&mut self, offset: u64, len: u32) -> Result<Lease, ErrorKind> {
        let completion = self.run(Io::read(offset, self.lease(len, 0xAA)));
        completion.result.map_err(|e| e.kind)?;
        Ok(completion.payload.into_lease().unwrap())
    }

    fn reads(&mut self, offset: u64, len: u32, value: u8) -> bool {
        self.read(offset, len).unwrap().iter().all(|b| *b == value)
    }

    /// Polls from time to time as a reactor does, and says when each tag completed.
    fn run_dry(&mut self) -> Vec<(u64, u64)> {
        let mut log = Vec::new();
        while self.channel.in_flight() > 0 {
            log.extend(self.poll().iter().map(|c| (self.core.now(), c.tag)));
            match self.channel.wait_source() {
                WaitSource::Until(ns) => self.core.clock().advance_to(ns),
                WaitSource::Ring => break,
                WaitSource::Poll => {}
            }
        }
        log
    }
}

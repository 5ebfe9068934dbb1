//! A device in memory that writes a log, and completes its requests late and out of order.

use std::rc::Rc;
use std::sync::{Arc, Mutex};

use byway_engine::block::{
    BlockDevice, Capabilities, Channel, Completion, Completions, DeviceInfo, Extent, ExtentKind,
    Io, Op, Outcome, WaitSource,
};
use byway_engine::core::Core;
use byway_engine::error::{ErrorKind, SetupError};
use byway_engine::sim::Rng;

use super::image::{Image, SECTOR};
use super::log::{Event, Request, SharedLog};

const DEPTH: u32 = 64;
/// Bytes that are copied at once.
const PIECE: usize = 4096;

/// The device.
pub(crate) struct LogDisk {
    /// What it holds.
    pub(crate) image: Arc<Mutex<Image>>,
    /// What happens on it; none: nobody wants to know.
    pub(crate) log: Option<SharedLog>,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Decides when requests complete.
    pub(crate) seed: u64,
}

impl BlockDevice for LogDisk {
    fn info(&self) -> DeviceInfo {
        DeviceInfo {
            name: "test disk".into(),
            size: self.size,
            block_len: SECTOR as u32,
            atomic_len: SECTOR as u32,
            optimal_len: 4096,
            io_len_max: 1 << 20,
            depth_max: DEPTH,
            read_only: false,
            can: Capabilities {
                fua: true,
                volatile_cache: true,
                discard: true,
                write_zeroes: true,
                block_status: true,
                ..Capabilities::default()
            },
        }
    }

    fn open_channel(&self, _core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        Ok(Box::new(LogChannel {
            image: Arc::clone(&self.image),
            log: self.log.clone(),
            size: self.size,
            rng: Rng::new(self.seed),
            waiting: Vec::new(),
        }))
    }
}

struct LogChannel {
    image: Arc<Mutex<Image>>,
    log: Option<SharedLog>,
    size: u64,
    rng: Rng,
    waiting: Vec<(Option<u32>, Completion)>,
}

impl LogChannel {
    fn began(&self, request: Request) -> Option<u32> {
        let mut log = self.log.as_ref()?.lock().expect("no test panics with it");
        let number = log.requests.len() as u32;
        log.requests.push(request);
        log.events.push(Event::Began(number));
        Some(number)
    }

    fn apply(&mut self, mut io: Io) -> (Option<u32>, Completion) {
        let (offset, len, fua) = (io.offset, io.len, io.fua);
        let mut image = self.image.lock().expect("no test panics with it");
        match io.op {
            Op::Read => {
                let mut bytes = [0; PIECE];
                for at in (0..len as usize).step_by(PIECE) {
                    let piece = &mut bytes[..PIECE.min(len as usize - at)];
                    image.read(offset + at as u64, piece);
                    io.payload.copy_from(at as u64, piece);
                }
                (None, io.done())
            }
            Op::Write => {
                let mut bytes = vec![0; len as usize];
                io.payload.copy_to(0, &mut bytes);
                image.write(offset, &bytes);
                (self.began(Request::Write { offset, bytes, fua }), io.done())
            }
            Op::WriteZeroes | Op::Discard => {
                image.clear(offset, len);
                (self.began(Request::Clear { offset, len, fua }), io.done())
            }
            Op::Flush => (self.began(Request::Flush), io.done()),
            Op::BlockStatus => {
                let all = Extent { offset, len, kind: ExtentKind::Data };
                (None, io.done_with(Outcome::Extents(Box::new(vec![all]))))
            }
            _ => (None, io.failed(ErrorKind::Unsupported, "test disk: no such thing")),
        }
    }
}

impl Channel for LogChannel {
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        if self.waiting.len() == DEPTH as usize {
            return Err(io);
        }
        let inside = io.offset.checked_add(io.len).is_some_and(|end| end <= self.size);
        let aligned = (io.offset | io.len).is_multiple_of(SECTOR as u64);
        let done = match io.op.has_range() && !(inside && aligned) {
            true => (None, io.failed(ErrorKind::Range, "test disk: out of range or not aligned")),
            false => self.apply(io),
        };
        self.waiting.push(done);
        Ok(())
    }

    fn flush_submissions(&mut self) {}

    fn poll(&mut self, done: &mut Completions) {
        // Something completes in every poll, so that nothing waits for ever.
        let count = self.rng.within(1..self.waiting.len() as u64 + 2);
        for _ in 0..count.min(self.waiting.len() as u64) {
            let at = self.rng.below(self.waiting.len() as u64) as usize;
            let (number, completion) = self.waiting.swap_remove(at);
            if let (Some(number), Some(log)) = (number, &self.log) {
                log.lock().expect("no test panics with it").events.push(Event::Ended(number));
            }
            done.push(completion);
        }
    }

    fn in_flight(&self) -> u32 {
        self.waiting.len() as u32
    }

    fn wait_source(&self) -> WaitSource {
        WaitSource::Poll
    }
}

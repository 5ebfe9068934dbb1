//! Remembers a checksum of every block written and compares what is read.
//!
//! Invariants: a block is compared only where no write to it was in flight at any time from the
//! read's submission to its completion; a block is known only after a write that overlapped with no
//! other; a failed write makes it unknown. What was on the device before is unknown.
//!
//! Limits: reads that straddle an exact multiple of 2^18 writes to one block are not told apart; a
//! device that shrinks and grows again between two events keeps its old checksums.

mod channel;
mod table;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::channel::VerifyChannel;
use self::table::Table;
use super::super::{BlockDevice, Channel, DeviceInfo};
use crate::core::Core;
use crate::error::SetupError;

pub use self::table::VERIFY_WRITERS_MAX;

/// How much was compared, in blocks of the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyCounts {
    /// Blocks read that held what was written.
    pub matched: u64,
    /// Blocks read that held something else.
    pub mismatched: u64,
    /// Blocks read that could not be compared: unknown, or being written.
    pub skipped: u64,
}

#[derive(Default)]
struct Counters {
    matched: AtomicU64,
    mismatched: AtomicU64,
    skipped: AtomicU64,
}

impl Counters {
    fn add(&self, counts: VerifyCounts) {
        self.matched.fetch_add(counts.matched, Ordering::Relaxed);
        self.mismatched.fetch_add(counts.mismatched, Ordering::Relaxed);
        self.skipped.fetch_add(counts.skipped, Ordering::Relaxed);
    }
}

/// Reads the counts of a [`Verify`] device, from any thread.
#[derive(Clone)]
pub struct VerifyHandle(Arc<Counters>);

impl VerifyHandle {
    /// The counts of all channels so far.
    pub fn counts(&self) -> VerifyCounts {
        VerifyCounts {
            matched: self.0.matched.load(Ordering::Relaxed),
            mismatched: self.0.mismatched.load(Ordering::Relaxed),
            skipped: self.0.skipped.load(Ordering::Relaxed),
        }
    }
}

/// A device that checks its reads.
pub struct Verify {
    inner: Arc<dyn BlockDevice>,
    table: Arc<Table>,
    handle: VerifyHandle,
}

impl Verify {
    /// Checks what is read from `inner`. The table takes 8 bytes for each block that is written;
    /// blocks that `inner` may grow by are not checked.
    pub fn new(inner: Arc<dyn BlockDevice>) -> Result<Verify, SetupError> {
        let info = inner.info();
        let table = Table::new(info.size, info.block_len).map_err(|cause| {
            let problem = format!("no address space for its checksums ({cause})");
            SetupError::new(info.name, problem, "use a smaller device or none of this check")
        })?;
        Ok(Verify { inner, table: Arc::new(table), handle: VerifyHandle(Arc::default()) })
    }

    /// The way to read the counts.
    pub fn handle(&self) -> VerifyHandle {
        self.handle.clone()
    }
}

impl BlockDevice for Verify {
    fn info(&self) -> DeviceInfo {
        self.inner.info()
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        let inner = self.inner.open_channel(core)?;
        let depth = self.info().depth_max;
        let (table, counters) = (Arc::clone(&self.table), Arc::clone(&self.handle.0));
        Ok(Box::new(VerifyChannel::new(inner, table, counters, depth)))
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

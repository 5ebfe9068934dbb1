//! `mem:`: a device in memory, shared by all cores, that takes memory only for what is written.
//!
//! Invariants: each aligned block of 4 KiB is read and written whole; a compare-and-write is atomic
//! against every other write; a block that was never written, or was freed, reads as zeroes. How
//! cores share bytes without a data race: the stripe locks and `docs/decisions/mem-stripes.md`.

mod channel;
mod lazy_words;
mod store;
mod stripes;

use std::rc::Rc;
use std::sync::Arc;

use self::channel::MemChannel;
pub(crate) use self::lazy_words::LazyWords;
use self::store::Store;
use super::{BlockDevice, Capabilities, Channel, DeviceInfo};
use crate::core::Core;
use crate::error::SetupError;

pub use self::channel::{MEM_COMPARE_LEN_MAX, MEM_DEPTH_MAX, MEM_EXTENTS_MAX};

/// Offsets and lengths are multiples of this, in bytes.
const SECTOR_LEN: u64 = 512;
/// What is read and written whole, freed and found by block status, in bytes.
const BLOCK_LEN: u64 = 1 << BLOCK_SHIFT;
const BLOCK_SHIFT: u32 = 12;

/// A device in memory.
#[derive(Debug)]
pub struct MemDevice {
    store: Arc<Store>,
}

impl MemDevice {
    /// A device of `size` bytes of zeroes. It takes no memory until it is written.
    pub fn new(size: u64) -> Result<MemDevice, SetupError> {
        MemDevice::with_limit(size, size)
    }

    /// A device of `size` bytes that can grow to `limit` bytes: the address space up to there is
    /// set aside now.
    pub fn with_limit(size: u64, limit: u64) -> Result<MemDevice, SetupError> {
        check_size(size, limit)?;
        let store = Store::new(size, limit).map_err(|cause| {
            let problem = format!("no address space for {limit} bytes ({cause})");
            SetupError::new(format!("mem:{size}"), problem, "use a smaller size")
        })?;
        Ok(MemDevice { store: Arc::new(store) })
    }

    /// Changes the size; open channels report it as an event. What is cut off reads as zeroes when
    /// the device grows again.
    pub fn resize(&self, size: u64) -> Result<(), SetupError> {
        check_size(size, self.store.limit())?;
        self.store.resize(size);
        Ok(())
    }
}

fn check_size(size: u64, limit: u64) -> Result<(), SetupError> {
    let thing = || format!("mem:{size}");
    if size == 0 || !size.is_multiple_of(SECTOR_LEN) {
        let remedy = format!("use a multiple of {SECTOR_LEN} bytes above zero");
        return Err(SetupError::new(thing(), "not a size of whole sectors", remedy));
    }
    if size > limit {
        let remedy = "create the device with a larger limit";
        return Err(SetupError::new(thing(), format!("above the limit of {limit} bytes"), remedy));
    }
    Ok(())
}

impl BlockDevice for MemDevice {
    fn zeroes_fast(&self) -> bool {
        true
    }

    fn info(&self) -> DeviceInfo {
        let size = self.store.size();
        DeviceInfo {
            name: format!("mem:{size}"),
            size,
            block_len: SECTOR_LEN as u32,
            atomic_len: BLOCK_LEN as u32,
            optimal_len: BLOCK_LEN as u32,
            io_len_max: 1 << 30,
            depth_max: MEM_DEPTH_MAX,
            read_only: false,
            can: Capabilities {
                fua: true,
                discard: true,
                write_zeroes: true,
                compare_and_write: true,
                block_status: true,
                ..Capabilities::default()
            },
        }
    }

    fn open_channel(&self, _core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        Ok(Box::new(MemChannel::new(Arc::clone(&self.store))))
    }
}

#[cfg(test)]
mod tests;

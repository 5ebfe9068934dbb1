//! What a device is and can do.

/// Optional abilities of a device. Reads, writes and flushes are not optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// `fua` writes cost less than a write and a flush.
    pub fua: bool,
    /// A volatile cache exists: a flush has work to do.
    pub volatile_cache: bool,
    /// Discard frees storage.
    pub discard: bool,
    /// Zeroes are written without sending them.
    pub write_zeroes: bool,
    /// Compare-and-write is atomic against every other write.
    pub compare_and_write: bool,
    /// Block status tells holes from data.
    pub block_status: bool,
    /// Persistent reservations are there.
    pub reservations: bool,
}

/// Geometry and abilities of a device at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What error messages call the device: its URI.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Logical block in bytes: offsets and lengths are multiples of it.
    pub block_len: u32,
    /// Bytes that are written whole or not at all across a power loss, aligned; a power of two.
    pub atomic_len: u32,
    /// The best length of a request, in bytes.
    pub optimal_len: u32,
    /// The longest read or write in bytes.
    pub io_len_max: u32,
    /// Requests that one channel takes at once.
    pub depth_max: u32,
    /// Writes are refused.
    pub read_only: bool,
    /// Optional abilities.
    pub can: Capabilities,
}

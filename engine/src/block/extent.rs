//! What a stretch of a device holds, as block status reports it.

/// What is known of an extent's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExtentKind {
    /// Allocated: holds data.
    Data,
    /// Not allocated, reads as zeroes.
    Hole,
    /// Allocated (or not: unknown), reads as zeroes.
    Zero,
}

/// One stretch of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    /// First byte on the device.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
    /// What it holds.
    pub kind: ExtentKind,
}

//! Where the blocks of a file lie.

/// The blocks belong to the file and read as zeroes.
pub const UNWRITTEN: u16 = 1;
/// The blocks may have further users.
pub const SHARED: u16 = 2;

//! Where the blocks of a file lie.

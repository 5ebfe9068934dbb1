//! The shared-disk cluster file system: volumes on any block device, files that are block devices.
//!
//! Every operation on metadata is a synchronous, pure function over one atomic [`store::Op`]; what
//! it lacks (a block, a glock) stops it, and the shell around it reads or asks and runs it again.
//! So no two operations interleave, and one that fails leaves nothing behind. This room names no
//! kind of device: a volume lives on a [`byway_engine::block::BlockDevice`].

#![forbid(unsafe_code)]

pub mod cache;
pub mod dir;
pub mod dump;
pub mod extents;
pub mod file;
pub mod format;
pub mod fsck;
pub mod fuzz;
pub mod image;
pub mod inode;
pub mod journal;
pub mod mkfs;
pub mod names;
pub mod space;
pub mod store;
pub mod tree;
pub mod tune;
pub mod volume;
pub mod wreck;
pub mod xattr;

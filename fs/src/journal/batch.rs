//! What one commit holds, before it becomes bytes.

use std::rc::Rc;

use crate::format::ENTRIES_PER_DESC;
use crate::store::{Block, Want};

/// The image of one block.
#[derive(Clone, Debug)]
pub struct Image {
    /// Where it belongs.
    pub bno: u64,
    /// What it is.
    pub want: Want,
    /// Its bytes; the checksum in them is anything.
    pub block: Rc<Block>,
    /// The checksum to be put into them.
    pub crc: u32,
}

/// One commit. It does not change any more: later edits work on copies.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Its number.
    pub seq: u64,
    /// The version of its images and frees.
    pub version: u64,
    /// Images, in the order of their block numbers.
    pub images: Vec<Image>,
    /// Blocks of metadata that it frees, in order.
    pub frees: Vec<(u64, Want)>,
}

impl Batch {
    /// Blocks that it takes in the ring.
    pub fn len(&self) -> u64 {
        commit_len(self.images.len(), self.frees.len())
    }

    /// True where it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty() && self.frees.is_empty()
    }

    /// Images and frees.
    pub fn entries(&self) -> usize {
        self.images.len() + self.frees.len()
    }

    /// Descriptor blocks that it takes.
    pub fn descs(&self) -> usize {
        descs(self.entries())
    }
}

/// Descriptor blocks for so many entries.
pub fn descs(entries: usize) -> usize {
    entries.div_ceil(ENTRIES_PER_DESC)
}

/// Blocks that a commit of so many images and frees takes in the ring: descriptors, images, and
/// the block that ends it.
pub fn commit_len(images: usize, frees: usize) -> u64 {
    (descs(images + frees) + images + 1) as u64
}

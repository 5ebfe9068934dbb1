//! A commit as blocks of the ring.
//!
//! The checksums of the images are known before the first block is made, so the blocks can be made
//! one by one into whatever memory the caller has: descriptors, images, and the block that ends it.

use super::{Batch, JournalPlace};
use crate::format::{
    self, BLOCK_LEN, CommitCore, DescEntry, DescHead, ENTRIES_PER_DESC, ENTRY_FREE, Kind,
};
use crate::store::{Block, Want};
use byway_engine::memory::Crc32c;

/// A commit that is written block by block.
pub struct Encoder<'a> {
    place: JournalPlace,
    incarnation: u64,
    batch: &'a Batch,
    start: u64,
    crc: Crc32c,
    /// The next block to be made.
    next: u64,
}

impl<'a> Encoder<'a> {
    /// Begins a commit at the ring position `start`.
    ///
    /// # Panics
    /// For a commit longer than the ring.
    pub fn new(place: JournalPlace, incarnation: u64, batch: &'a Batch, start: u64) -> Encoder<'a> {
        assert!(batch.len() <= place.ring(), "a commit fits into the ring");
        Encoder { place, incarnation, batch, start, crc: Crc32c::new(), next: 0 }
    }

    /// Fills `to`, a whole number of blocks, with the next ones.
    ///
    /// # Panics
    /// Where there are not so many left.
    pub fn fill(&mut self, to: &mut [u8]) {
        let (blocks, rest) = to.as_chunks_mut::<BLOCK_LEN>();
        assert!(rest.is_empty(), "whole blocks");
        blocks.iter_mut().for_each(|block| self.next(block));
    }

    fn next(&mut self, to: &mut [u8; BLOCK_LEN]) {
        let (descs, at) = (self.batch.descs(), self.next as usize);
        if at < descs {
            to.copy_from_slice(self.desc(at).bytes());
            self.crc.update(to);
        } else if let Some(image) = self.batch.images.get(at - descs) {
            to.copy_from_slice(image.block.bytes());
            format::put_checksum(to, image.crc);
        } else {
            assert_eq!(self.next + 1, self.batch.len(), "the commit has no more blocks");
            to.copy_from_slice(self.commit().bytes());
        }
        self.next += 1;
    }

    fn block(&self, kind: Kind) -> Block {
        let mut block = Block::zeroed();
        let bno = self.place.bno(self.start + self.next);
        block.set_header(&self.place.header(bno, kind, self.batch.version));
        block
    }

    fn desc(&self, index: usize) -> Block {
        let first = index * ENTRIES_PER_DESC;
        let count = (self.batch.entries() - first).min(ENTRIES_PER_DESC);
        let mut block = self.block(Kind::JournalDesc);
        *DescHead::of_mut(&mut block) = DescHead {
            seq: self.batch.seq.into(),
            incarnation: self.incarnation.into(),
            start: self.start.into(),
            entries: (self.batch.entries() as u32).into(),
            images: (self.batch.images.len() as u32).into(),
            count: (count as u16).into(),
            descs: (self.batch.descs() as u16).into(),
            index: (index as u16).into(),
            reserved: [0; 26],
        };
        let entries = &mut DescEntry::all_mut(&mut block)[..count];
        entries.iter_mut().enumerate().for_each(|(at, entry)| *entry = self.entry(first + at));
        format::seal(block.bytes_mut());
        block
    }

    /// Entries of images come first, in the order of the images.
    fn entry(&self, at: usize) -> DescEntry {
        let images = &self.batch.images;
        let (bno, Want { kind, owner }, flags, crc) = match images.get(at) {
            Some(image) => (image.bno, image.want, 0, image.crc),
            None => {
                let (bno, want) = self.batch.frees[at - images.len()];
                (bno, want, ENTRY_FREE, 0)
            }
        };
        DescEntry {
            bno: bno.into(),
            owner: owner.into(),
            version: self.batch.version.into(),
            kind: kind.code().into(),
            flags: flags.into(),
            crc: crc.into(),
        }
    }

    fn commit(&self) -> Block {
        let mut block = self.block(Kind::JournalCommit);
        *CommitCore::of_mut(&mut block) = CommitCore {
            seq: self.batch.seq.into(),
            incarnation: self.incarnation.into(),
            start: self.start.into(),
            clock: self.batch.version.into(),
            blocks: (self.batch.len() as u32).into(),
            crc: self.crc.value().into(),
        };
        format::seal(block.bytes_mut());
        block
    }
}

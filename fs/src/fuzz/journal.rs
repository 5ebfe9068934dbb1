//! Journals: a script of blocks, fed to the reading of a window.

use super::UUID;
use super::input::Input;
use crate::format::{Header, Kind, seal};
use crate::journal::{Batch, Encoder, Fed, Head, Image, JournalPlace, Scan};
use crate::store::{Block, Want};
use std::rc::Rc;

const PLACE: JournalPlace = JournalPlace { uuid: UUID, slot: 0, start: 322, blocks: 256 };

/// A sound commit of some images and frees.
fn commit(images: u64, frees: u64) -> Vec<Block> {
    let image = |bno: u64| {
        let want = Want::new(Kind::Inode, bno);
        let mut block = Block::zeroed();
        block.set_header(&Header::new(&UUID, bno, want, 5));
        seal(block.bytes_mut());
        let crc = block.header().crc.get();
        Image { bno, want, block: Rc::new(block), crc }
    };
    let free = |bno: u64| (bno, Want::new(Kind::DirLeaf, 600));
    let batch = Batch {
        seq: 1,
        version: 5,
        images: (600..600 + images).map(image).collect(),
        frees: (2100..2100 + frees).map(free).collect(),
    };
    let mut bytes = vec![0; batch.len() as usize * 4096];
    Encoder::new(PLACE, 1, &batch, 0).fill(&mut bytes);
    let blocks = bytes.as_chunks::<4096>().0;
    blocks.iter().map(Block::from_bytes).collect()
}

/// A commit with edits in some of its blocks, whose checksums are made right again.
///
/// # Panics
/// Where a property does not hold.
pub fn fs_journal(data: &[u8]) {
    let mut input = Input::new(data);
    let mut blocks = commit(u64::from(input.byte() % 130), u64::from(input.byte() % 4));
    let untouched = blocks.clone();
    while let Some(at) = input.step() {
        let at = usize::from(at) % blocks.len().max(1);
        let Some(block) = blocks.get_mut(at) else { break };
        input.edit(block);
        seal(block.bytes_mut());
    }
    let head = Head { incarnation: 1, ..Head::new() };
    let mut scan = Scan::new(PLACE, &head);
    for (at, block) in blocks.iter().enumerate() {
        assert_eq!(scan.position(), at as u64, "blocks are asked for one after the other");
        match scan.feed(block) {
            Fed::More => {}
            Fed::End => break,
            Fed::Commit(changes) => {
                // Of the last block, only what names the commit is compared.
                let whole = blocks[..at] == untouched[..at];
                assert!(whole, "a commit counts whole or not at all");
                assert!(!changes.is_empty());
            }
        }
    }
    let mut block = Block::zeroed();
    block.set_header(&Header::new(&UUID, PLACE.start, PLACE.want(Kind::JournalHead), 1));
    block.bytes_mut()[64..64 + data.len().min(1024)].copy_from_slice(&data[..data.len().min(1024)]);
    seal(block.bytes_mut());
    if let Ok(head) = Head::decode(&PLACE, 0, &block) {
        assert_eq!(Head::decode(&PLACE, 0, &head.encode(&PLACE)), Ok(head));
        Scan::new(PLACE, &head).feed(&untouched[0]);
    }
}

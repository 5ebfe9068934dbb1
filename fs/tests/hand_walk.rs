//! The image that the document of the format reads by hand: small, the same on every machine. The
//! test leaves it as `walk.image` in Cargo's folder for such files, and compares every line of
//! `xxd` in the document with it.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

use std::path::Path;

use byway_fs::format::{
    BLOCK_LEN, Geometry, Kind, PlanOptions, SLOT_MOUNTED, SLOTS_AT, SlotCore, seal,
};
use byway_fs::inode::{InodeRef, inline_put};
use byway_fs::journal::{Batch, Encoder, Head, JournalPlace};
use byway_fs::mkfs::{Draft, Identity};
use byway_fs::names::{New, create, mkdir};
use byway_fs::store::{Block, Memory, Op, Stop, Want};

const DOCUMENT: &str = include_str!("../../docs/on-disk-format.md");
const UUID: [u8; 16] = *b"an image to read";
/// The life of the node that used the volume and died.
const INCARNATION: u64 = 1;

/// A volume of 16 MiB with one journal of 1 MiB.
fn draft() -> Draft {
    let plan =
        PlanOptions { group_len: Some(8 << 20), journal_len: Some(1 << 20), journals: Some(1) };
    let identity = Identity {
        uuid: UUID,
        dir_hash_key: [1; 16],
        cluster_key: [2; 32],
        root_generation: 7,
        label: "walk".into(),
        sector_len: 512,
        owner: (0, 0),
        created: 1_700_000_000_000_000_000,
    };
    Draft::new(Geometry::plan(16 << 20, &plan).unwrap(), identity)
}

/// Somebody takes slot 0, makes a directory and a file with a few bytes.
fn use_it(op: &mut Op<'_>, root: InodeRef) -> Result<(), Stop> {
    let slot = SlotCore::of_mut(op.edit(SLOTS_AT, Want::new(Kind::Slot, 0))?);
    (slot.state, slot.incarnation) = (SLOT_MOUNTED.into(), INCARNATION.into());
    let new = |mode| New { mode, uid: 1000, gid: 1000 };
    mkdir(op, root, b"etc", new(0o755))?;
    let file = create(op, root, b"hello.txt", new(0o644), false)?;
    inline_put(op, file.at, 0, b"Hello, world.\n")?;
    Ok(())
}

fn put(image: &mut [u8], bno: u64, block: &Block) {
    let at = usize::try_from(bno).unwrap() * BLOCK_LEN;
    image[at..at + BLOCK_LEN].copy_from_slice(block.bytes());
}

/// The commit in the ring, and the head that a mount had written before it.
fn put_journal(image: &mut [u8], place: JournalPlace, batch: &Batch) {
    let tail_seq = batch.seq;
    let head = Head {
        seq: 2,
        incarnation: INCARNATION,
        tail_seq,
        clock: 1,
        is_dirty: true,
        ..Head::new()
    };
    put(image, place.head_bno(2), &head.encode(&place));
    let at = usize::try_from(place.bno(0)).unwrap() * BLOCK_LEN;
    let len = usize::try_from(batch.len()).unwrap() * BLOCK_LEN;
    Encoder::new(place, INCARNATION, batch, 0).fill(&mut image[at..at + len]);
}

fn image() -> Vec<u8> {
    let draft = draft();
    let superblock = draft.superblock();
    let geometry = superblock.geometry;
    let mut image = vec![0; 16 << 20];
    draft.everything().for_each(|(bno, block)| put(&mut image, bno, &block));
    let mut memory = Memory::after(geometry, UUID, 1);
    memory.load(draft.everything());
    memory.set_now(1_700_000_100_000_000_000);
    memory.store().set_dir_hash_key(superblock.dir_hash_key);
    let root = InodeRef { ino: superblock.root_ino, generation: superblock.root_generation };
    memory.run(|op| use_it(op, root)).unwrap();
    let batch = memory.store().begin_commit(0).unwrap();
    let run = geometry.journal_at(0).unwrap();
    let place =
        JournalPlace { uuid: UUID, slot: 0, start: run.start, blocks: geometry.journal_blocks };
    put_journal(&mut image, place, &batch);
    memory.store().commit_is_durable();
    for place in memory.store().begin_round(usize::MAX).unwrap().iter() {
        let mut block = Block::clone(&place.block);
        seal(block.bytes_mut());
        put(&mut image, place.bno, &block);
    }
    image
}

/// One line of `xxd`: where it begins, and its bytes.
fn line_of_xxd(line: &str) -> Option<(usize, Vec<u8>)> {
    let (at, rest) = line.split_once(": ")?;
    let at = Some(at).filter(|at| at.len() == 8)?;
    let at = usize::from_str_radix(at, 16).ok()?;
    let digits: String = rest.split("  ").next()?.split(' ').collect();
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    Some((at, pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()))
}

#[test]
fn the_walk_of_the_document_reads_this_image() {
    let image = image();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("walk.image");
    std::fs::write(&path, &image).unwrap();
    let section = DOCUMENT.split("## Reading an image by hand").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let lines: Vec<_> = section.lines().filter_map(line_of_xxd).collect();
    assert!(lines.len() > 20, "{} lines of xxd", lines.len());
    for (at, bytes) in lines {
        let found = &image[at..at + bytes.len()];
        let pairs: Vec<String> =
            found.chunks(2).map(|pair| format!("{:02x}{:02x}", pair[0], pair[1])).collect();
        assert_eq!(found, bytes, "the image has {at:08x}: {}", pairs.join(" "));
    }
}

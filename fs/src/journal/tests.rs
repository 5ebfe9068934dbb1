//! Lab protocols of the journal: commits that are torn, stale, wrapped, replayed twice.

use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::format::{self, BLOCK_LEN, Header, Kind, MAGIC};
use crate::store::{Block, Mutation, Want};

const UUID: [u8; 16] = [9; 16];
const INCARNATION: u64 = 5;

/// A ring in memory.
struct Ring {
    place: JournalPlace,
    blocks: Vec<Block>,
    head: Head,
    pos: u64,
    seq: u64,
}

fn place(slot: u16) -> JournalPlace {
    JournalPlace { uuid: UUID, slot, start: 4000 + 100 * u64::from(slot), blocks: 42 }
}

fn want(bno: u64) -> Want {
    Want::new(Kind::Inode, bno)
}

fn block(bno: u64, version: u64, fill: u8) -> Block {
    let mut block = Block::from_bytes(&[fill; BLOCK_LEN]);
    block.set_header(&Header {
        magic: MAGIC.into(),
        crc: 0.into(),
        uuid: UUID,
        bno: bno.into(),
        owner: bno.into(),
        version: version.into(),
        kind: Kind::Inode.code().into(),
        level: 0.into(),
        epoch: 0.into(),
        slot: 0.into(),
        reserved: [0; 6],
    });
    format::seal(block.bytes_mut());
    block
}

fn batch(seq: u64, version: u64, images: &[u64], frees: &[u64]) -> Batch {
    let image = |bno: &u64| {
        let block = block(*bno, version, version as u8);
        let crc = block.header().crc.get();
        Image { bno: *bno, want: want(*bno), block: Rc::new(block), crc }
    };
    let images = images.iter().map(image).collect();
    Batch { seq, version, images, frees: frees.iter().map(|bno| (*bno, want(*bno))).collect() }
}

impl Ring {
    fn new(slot: u16) -> Ring {
        let head = Head { incarnation: INCARNATION, is_dirty: true, ..Head::new() };
        let blocks = vec![Block::zeroed(); place(slot).ring() as usize];
        Ring { place: place(slot), blocks, head, pos: 0, seq: 1 }
    }

    /// Writes a commit; only the blocks that `keep` names reach the ring.
    fn write(&mut self, batch: &Batch, incarnation: u64, keep: impl Fn(u64) -> bool) {
        let mut encoder = Encoder::new(self.place, incarnation, batch, self.pos);
        for at in 0..batch.len() {
            let mut to = [0; BLOCK_LEN];
            encoder.fill(&mut to);
            if keep(at) {
                let ring_at = (self.pos + at) % self.place.ring();
                self.blocks[ring_at as usize] = Block::from_bytes(&to);
            }
        }
    }

    fn commit(&mut self, version: u64, images: &[u64], frees: &[u64]) {
        let batch = batch(self.seq, version, images, frees);
        self.write(&batch, INCARNATION, |_| true);
        self.pos += batch.len();
        self.seq += 1;
    }

    fn move_tail(&mut self) {
        self.head = Head { tail_pos: self.pos, tail_seq: self.seq, ..self.head };
    }

    fn scan(&self) -> (Replay, Scan) {
        let (mut scan, mut replay) = (Scan::new(self.place, &self.head), Replay::default());
        loop {
            let at = scan.position() % self.place.ring();
            match scan.feed(&self.blocks[at as usize]) {
                Fed::More => {}
                Fed::Commit(changes) => replay.add(changes),
                Fed::End => return (replay, scan),
            }
        }
    }

    fn replay(&self, disk: &mut BTreeMap<u64, Block>, mutation: Mutation) {
        let (replay, _) = self.scan();
        for change in replay.images() {
            let (pos, _) = change.image.expect("an image has a place");
            let old = disk.get(&change.bno).cloned().unwrap_or_default();
            if verdict(old.bytes(), &UUID, change, mutation) == Verdict::Apply {
                let image = self.blocks[(pos % self.place.ring()) as usize].clone();
                disk.insert(change.bno, image);
            }
        }
    }
}

#[test]
fn a_commit_counts_only_when_every_block_of_it_is_there() {
    let images: Vec<u64> = (0..5).collect();
    let whole = batch(2, 11, &images, &[70, 71]);
    for missing in 0..whole.len() {
        for is_prefix in [true, false] {
            let mut ring = Ring::new(0);
            ring.commit(10, &[50], &[]);
            // What the lap before left there: a sound commit of the same length.
            let stale = batch(2, 7, &images, &[70, 71]);
            ring.write(&stale, INCARNATION - 1, |_| true);
            ring.write(
                &whole,
                INCARNATION,
                |at| if is_prefix { at < missing } else { at != missing },
            );
            let (replay, scan) = ring.scan();
            assert_eq!(replay.commits(), 1, "block {missing} is missing, prefix {is_prefix}");
            assert_eq!((scan.end(), scan.clock()), ((2, 3), 10));
        }
    }
    let mut ring = Ring::new(0);
    ring.commit(10, &[50], &[]);
    ring.write(&whole, INCARNATION, |_| true);
    let (replay, scan) = ring.scan();
    assert_eq!((replay.commits(), scan.clock()), (2, 11));
    assert_eq!(replay.images().count(), 6);
}

#[test]
fn an_image_of_another_commit_does_not_pass_for_the_right_one() {
    let mut ring = Ring::new(0);
    ring.commit(10, &[1, 2, 3], &[]);
    // Position 2 holds the image of block 2; an older one of the same block is as sound by itself.
    ring.blocks[2] = block(2, 9, 9);
    assert_eq!(ring.scan().0.commits(), 0);
}

#[test]
fn commits_go_round_the_ring() {
    let mut ring = Ring::new(0);
    for round in 0..200_u64 {
        let images: Vec<u64> = (0..round % 9 + 1).collect();
        ring.commit(10 + round, &images, &[]);
        if round % 3 == 0 {
            ring.commit(10 + round, &[99], &[]);
        }
        let (replay, scan) = ring.scan();
        assert_eq!(replay.commits(), 1 + u64::from(round % 3 == 0));
        assert_eq!(scan.end(), (ring.seq, ring.pos));
        ring.move_tail();
    }
}

#[test]
fn a_full_ring_is_scanned_once_around_and_not_further() {
    let mut ring = Ring::new(0);
    let images: Vec<u64> = (0..38).collect();
    ring.commit(3, &images, &[]);
    assert_eq!(ring.pos, ring.place.ring());
    let (replay, scan) = ring.scan();
    assert_eq!((replay.commits(), scan.end()), (1, (2, 40)));
}

#[test]
fn a_commit_of_an_older_mount_in_the_right_place_is_stale() {
    let mut ring = Ring::new(0);
    ring.commit(10, &[1], &[]);
    // The mount before had begun the very next commit and lost its power.
    let old = batch(2, 11, &[1, 2], &[]);
    ring.write(&old, INCARNATION - 1, |_| true);
    assert_eq!(ring.scan().0.commits(), 1);
}

#[test]
fn an_image_is_skipped_where_its_block_was_freed_later() {
    let mut ring = Ring::new(0);
    ring.commit(10, &[1, 2], &[]);
    ring.commit(11, &[3], &[1, 2]);
    ring.commit(12, &[2], &[]);
    let (replay, _) = ring.scan();
    let applied: Vec<u64> = replay.images().map(|change| change.bno).collect();
    assert_eq!(applied, [2, 3], "block 1 stays freed, block 2 was made anew");
}

#[test]
fn what_is_in_place_counts_only_while_it_is_sound() {
    let (replay, disk) = (block(7, 5, 1), block(7, 6, 2));
    let change =
        Change { bno: 7, want: want(7), version: 5, image: Some((0, replay.header().crc.get())) };
    let ask = |disk: &Block| verdict(disk.bytes(), &UUID, &change, Mutation::None);
    assert_eq!(ask(&disk), Verdict::Skip);
    assert_eq!(ask(&block(7, 5, 1)), Verdict::Skip);
    assert_eq!(ask(&block(7, 4, 1)), Verdict::Apply);
    assert_eq!(ask(&block(8, 6, 1)), Verdict::Apply, "a misdirected write is written over");
    let mut torn = disk.clone();
    torn.bytes_mut()[3000] ^= 1;
    assert_eq!(ask(&torn), Verdict::Apply);
    assert_eq!(ask(&Block::zeroed()), Verdict::Apply);
}

proptest! {
    #[test]
    fn replays_agree_whatever_their_order_and_number(
        steps in proptest::collection::vec(
            (any::<bool>(), proptest::collection::btree_set(0..8_u64, 1..4)), 1..10),
        placed in 0..20_u64,
    ) {
        // Two nodes change blocks in turns, with one clock, as locks make them.
        let mut rings = [Ring::new(0), Ring::new(1)];
        let mut expected = BTreeMap::new();
        for (at, (second, blocks)) in steps.iter().enumerate() {
            let version = 10 + at as u64;
            let blocks: Vec<u64> = blocks.iter().copied().collect();
            rings[usize::from(*second)].commit(version, &blocks, &[]);
            blocks.iter().for_each(|bno| {
                expected.insert(*bno, block(*bno, version, version as u8));
            });
        }
        // Some of it is in place already.
        let start: BTreeMap<u64, Block> = expected
            .iter()
            .filter(|(bno, _)| placed & (1 << *bno) != 0)
            .map(|(bno, block)| (*bno, block.clone()))
            .collect();
        for order in [[0, 1, 0], [1, 0, 1], [0, 0, 1], [1, 1, 0]] {
            let mut disk = start.clone();
            order.iter().for_each(|at| rings[*at].replay(&mut disk, Mutation::None));
            prop_assert_eq!(&disk, &expected);
        }
    }

    #[test]
    fn outside_bytes_end_a_scan_and_nothing_worse(
        at in 0..40_usize,
        offset in 0..BLOCK_LEN,
        value in any::<u8>(),
        reseal in any::<bool>(),
    ) {
        let mut ring = Ring::new(0);
        ring.commit(10, &[1, 2, 3], &[60]);
        ring.commit(11, &[4], &[]);
        ring.blocks[at].bytes_mut()[offset] ^= value;
        if reseal {
            format::seal(ring.blocks[at].bytes_mut());
        }
        let (replay, _) = ring.scan();
        prop_assert!(replay.commits() <= 2);
    }
}

#[test]
fn a_replay_without_versions_goes_back_in_time() {
    let mut ring = Ring::new(0);
    ring.commit(10, &[1], &[]);
    let mut disk = BTreeMap::from([(1, block(1, 12, 12))]);
    ring.replay(&mut disk, Mutation::None);
    assert_eq!(disk[&1].header().version.get(), 12);
    ring.replay(&mut disk, Mutation::ReplayWithoutVersion);
    assert_eq!(disk[&1].header().version.get(), 10);
}

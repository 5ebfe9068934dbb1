//! What a group holds before anything is allocated in it: for the maker of a volume, and for the
//! operation that uses a group first.
//!
//! Invariant: the result depends on geometry alone, so that two nodes make the same group.

use super::{BITS_PER_BLOCK, BitmapHead, Bits, Geometry, GroupCore, bits_in};
use crate::store::{Block, Run};

/// Data begins after so much of a group, or more: what is before is for metadata first.
const META_SHARE: u64 = 16;
/// The alignment of the place where data begins: 1 MiB.
const DATA_ALIGN: u64 = 256;

/// Fills in the header block of an untouched group; its block header is the caller's.
pub fn initialise_group(block: &mut Block, geometry: &Geometry, group: u32) {
    let reserved = geometry.reserved(group);
    let taken: u64 = reserved.iter().map(|run| run.len).sum();
    let len = geometry.group_len(group);
    let first = reserved[0].len;
    let data = (first + len / META_SHARE).next_multiple_of(DATA_ALIGN);
    let core = GroupCore::of_mut(block);
    core.group = group.into();
    core.blocks = number(len).into();
    core.free = number(len - taken).into();
    core.bitmap_blocks = geometry.bitmap_blocks().into();
    core.inode_hint = number(first.next_multiple_of(64).min(len - 1)).into();
    core.data_hint = number(data.min(len - 1)).into();
}

/// Fills in block `index` of the bitmap of an untouched group.
pub fn initialise_bitmap(block: &mut Block, geometry: &Geometry, group: u32, index: u32) {
    let len = geometry.group_len(group);
    let first = u64::from(index) * BITS_PER_BLOCK;
    for run in geometry.reserved(group) {
        let run = Run { start: run.start - geometry.group_start(group), ..run };
        set_run(block, first, run);
    }
    count_bits(block, bits_in(len, index.into()));
}

/// Sets the part of a run that lies in a block of bits whose first bit is `first`.
fn set_run(block: &mut Block, first: u64, run: Run) {
    let end = (run.start + run.len).min(first + BITS_PER_BLOCK);
    let start = run.start.max(first);
    if start < end {
        Bits::of_mut(block).set(number(start - first), number(end - start));
    }
}

/// Fills in the head of a block of which `bits` bits count: exactly, the hints too.
pub fn count_bits(block: &mut Block, bits: u32) {
    let map = Bits::of(block);
    let free = bits - map.count(0, bits);
    let (longest, first) = (map.longest_run(bits), map.next_clear(0, bits).unwrap_or(bits));
    let head = BitmapHead::of_mut(block);
    head.bits = bits.into();
    head.free = free.into();
    head.largest_run = longest.into();
    head.first_free = first.into();
}

fn number(value: u64) -> u32 {
    u32::try_from(value).expect("a group has at most 2^22 blocks")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{
        GROUP_MAP_AT, GROUP_MAP_BLOCKS, Kind, PlanOptions, bitmap_want, check_bits,
    };
    use crate::space;
    use crate::store::{Memory, Want};

    #[test]
    fn an_untouched_group_passes_its_judges() {
        for (len, group_len) in [(20 << 20, 8 << 20), (5 << 40, 1 << 34), (100 << 30, 1 << 30)] {
            let options = PlanOptions { group_len: Some(group_len), ..PlanOptions::default() };
            let geometry = Geometry::plan(len, &options).unwrap();
            let last = geometry.groups() - 1;
            for group in (0..last.min(3)).chain([last]) {
                judge(&geometry, group);
            }
        }
    }

    #[test]
    fn the_operation_that_uses_a_group_first_makes_the_same() {
        let geometry = Geometry::plan(200 << 30, &PlanOptions::default()).unwrap();
        for group in [0, 1, 4, 100] {
            let mut memory = Memory::new(geometry, [7; 16]);
            for index in 0..GROUP_MAP_BLOCKS {
                let want = Want::new(Kind::GroupMap, 0);
                memory.run(|op| op.fresh(GROUP_MAP_AT + index, want, 0).map(drop)).unwrap();
            }
            memory.commit();
            memory.run(|op| space::initialise(op, group)).unwrap();
            let header = geometry.group_header(group);
            let want = Want::new(Kind::Group, group.into());
            let found = memory.run(|op| op.read(header, want)).unwrap();
            let mut made = Block::zeroed();
            initialise_group(&mut made, &geometry, group);
            assert_eq!(found.bytes()[64..], made.bytes()[64..], "header of {group}");
            for index in 0..geometry.bitmap_blocks() {
                let bno = header + 1 + u64::from(index);
                let found = memory.run(|op| op.read(bno, bitmap_want(group))).unwrap();
                let mut made = Block::zeroed();
                initialise_bitmap(&mut made, &geometry, group, index);
                assert_eq!(found.bytes()[64..], made.bytes()[64..], "bitmap of {group}");
            }
        }
    }

    fn judge(geometry: &Geometry, group: u32) {
        let mut header = Block::zeroed();
        initialise_group(&mut header, geometry, group);
        assert_eq!(GroupCore::of(&header).check(geometry, group), Ok(()));
        let free = (0..geometry.bitmap_blocks()).map(|index| {
            let mut block = Block::zeroed();
            initialise_bitmap(&mut block, geometry, group, index);
            let bits = bits_in(geometry.group_len(group), index.into());
            assert_eq!(check_bits(&block, 0, bitmap_want(group), bits), Ok(()));
            BitmapHead::of(&block).free.get()
        });
        assert_eq!(free.sum::<u32>(), GroupCore::of(&header).free.get());
    }
}

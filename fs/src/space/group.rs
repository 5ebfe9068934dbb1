//! A group's header and bitmap: making them, taking and giving back bits.

use std::rc::Rc;

use super::counts::count_blocks;
use crate::format::{
    BITS_PER_BLOCK, BitmapHead, Bits, GROUP_MAP_AT, Geometry, GroupCore, Kind, bitmap_want, bits_in,
};
use crate::store::{Block, Damage, OP_BLOCKS_MAX, Op, Run, Stop, Want};

const BITS: u32 = BITS_PER_BLOCK as u32;
/// Data begins after so much of a group, or more: what is before is for metadata first.
const META_SHARE: u64 = 16;
/// The alignment of the place where data begins: 1 MiB.
const DATA_ALIGN: u64 = 256;

/// What the header of a group must be.
pub(super) fn header_want(group: u32) -> Want {
    Want::new(Kind::Group, u64::from(group))
}

/// The group of a block, and its number in there. What lies in no group is damage of `want`.
pub(super) fn place_of(op: &Op<'_>, run: Run, want: Want) -> Result<(u32, u32), Stop> {
    let geometry = op.geometry();
    if !geometry.is_inside_group(run) {
        return Err(Damage::field(run.start, want, "place").into());
    }
    let group = geometry.group_of(run.start);
    Ok((group, (run.start - geometry.group_start(group)) as u32))
}

/// The header block of a group that is initialised.
pub(super) fn header(op: &mut Op<'_>, group: u32) -> Result<Rc<Block>, Stop> {
    let block = op.read(op.geometry().group_header(group), header_want(group))?;
    let core = GroupCore::of(&block);
    let room = core.free.get().saturating_add(core.pending_blocks.get());
    op.hints_mut().saw(group, room);
    Ok(block)
}

/// Blocks of a group that an operation may take, which leaves `reserve` of them: what is free, but
/// for what was freed and is not durable yet. Exact where that is fewer than `wanted`.
pub(super) fn usable(op: &Op<'_>, group: u32, core: &GroupCore, reserve: u32, wanted: u64) -> u64 {
    let free = u64::from(core.free.get().saturating_sub(reserve));
    let at_least = free.saturating_sub(op.busy_blocks());
    if at_least >= wanted {
        return at_least;
    }
    let geometry = op.geometry();
    let run = Run { start: geometry.group_start(group), len: geometry.group_len(group) };
    free.saturating_sub(op.busy_blocks_within(run))
}

/// Changes the header of a group.
pub(super) fn change(
    op: &mut Op<'_>,
    group: u32,
    apply: impl FnOnce(&mut GroupCore),
) -> Result<(), Stop> {
    let block = op.edit(op.geometry().group_header(group), header_want(group))?;
    apply(GroupCore::of_mut(block));
    Ok(())
}

/// The block of a group's bitmap that holds a bit, and the bit's number in there.
pub(super) fn bit_place(geometry: &Geometry, group: u32, bit: u32) -> (u64, u32) {
    (geometry.group_header(group) + 1 + u64::from(bit / BITS), bit % BITS)
}

fn map_place(group: u32) -> (u64, u32, Want) {
    (GROUP_MAP_AT + u64::from(group / BITS), group % BITS, Want::new(Kind::GroupMap, 0))
}

/// True where a group has a header and a bitmap on disk.
pub fn is_initialised(op: &Op<'_>, group: u32) -> Result<bool, Stop> {
    let (bno, at, want) = map_place(group);
    Ok(Bits::of(&*op.read(bno, want)?).get(at))
}

/// Initialises a group that is not yet. False where it is of no use to the operation: it has no run
/// of `len` blocks, or one operation does not initialise so many groups.
pub(super) fn prepare(op: &mut Op<'_>, group: u32, len: u64) -> Result<bool, Stop> {
    if is_initialised(op, group)? {
        return Ok(true);
    }
    let geometry = op.geometry();
    let needed = op.edits_len() + geometry.bitmap_blocks() as usize + 2 + OP_BLOCKS_MAX / 4;
    let fits = op.edits_max == OP_BLOCKS_MAX || needed <= op.edits_max;
    if !fits || longest_at_first(geometry, group) < len {
        return Ok(false);
    }
    initialise(op, group)?;
    Ok(true)
}

/// The longest run of a group in which nothing is allocated; no run crosses a bitmap block.
fn longest_at_first(geometry: &Geometry, group: u32) -> u64 {
    let start = geometry.group_start(group);
    let mut free_from = 0;
    let mut longest = 0;
    let end = Run { start: start + geometry.group_len(group), len: 0 };
    for run in geometry.reserved(group).into_iter().chain([end]) {
        while free_from < run.start - start {
            let border = (free_from / BITS_PER_BLOCK + 1) * BITS_PER_BLOCK;
            let to = border.min(run.start - start);
            longest = longest.max(to - free_from);
            free_from = to;
        }
        free_from = run.start + run.len - start;
    }
    longest
}

/// Writes header and bitmap of a group: everything is free but for what is reserved. For the first
/// group, the operation may edit as many blocks more as that takes.
pub fn initialise(op: &mut Op<'_>, group: u32) -> Result<(), Stop> {
    let geometry = *op.geometry();
    let reserved = geometry.reserved(group);
    let blocks = geometry.group_len(group);
    op.edits_max = OP_BLOCKS_MAX + 1 + geometry.bitmap_blocks() as usize;
    let mut free = 0;
    for index in 0..geometry.bitmap_blocks() {
        free += initialise_bitmap(op, &geometry, group, index, &reserved)?;
    }
    let first = reserved[0].len;
    let data = (first + blocks / META_SHARE).next_multiple_of(DATA_ALIGN);
    op.fresh(geometry.group_header(group), header_want(group), 0)?;
    change(op, group, |core| {
        core.group.set(group);
        core.blocks.set(blocks as u32);
        core.free.set(free);
        core.bitmap_blocks.set(geometry.bitmap_blocks());
        core.inode_hint.set(first.next_multiple_of(64).min(blocks - 1) as u32);
        core.data_hint.set(data.min(blocks - 1) as u32);
    })?;
    let (bno, at, want) = map_place(group);
    let map = op.edit(bno, want)?;
    let fresh = Bits::of_mut(map).set(at, 1);
    let head = BitmapHead::of_mut(map);
    head.free.set(head.free.get().saturating_sub(fresh));
    Ok(())
}

fn initialise_bitmap(
    op: &mut Op<'_>,
    geometry: &Geometry,
    group: u32,
    index: u32,
    reserved: &[Run],
) -> Result<u32, Stop> {
    let bits = bits_in(geometry.group_len(group), u64::from(index));
    let start = geometry.group_start(group) + u64::from(index) * BITS_PER_BLOCK;
    let end = start + u64::from(bits);
    let bno = geometry.group_header(group) + 1 + u64::from(index);
    let block = op.fresh(bno, bitmap_want(group), 0)?;
    let map = Bits::of_mut(block);
    for run in reserved {
        let (from, to) = (run.start.max(start), (run.start + run.len).min(end));
        if from < to {
            map.set((from - start) as u32, (to - from) as u32);
        }
    }
    let free = bits - map.count(0, bits);
    let (largest, first) = (map.longest_run(bits), map.next_clear(0, bits).unwrap_or(bits));
    let head = BitmapHead::of_mut(block);
    head.free.set(free);
    head.largest_run.set(largest);
    head.first_free.set(first);
    head.bits.set(bits);
    Ok(free)
}

/// Takes clear bits of one bitmap block.
pub(super) fn take(op: &mut Op<'_>, group: u32, bit: u32, len: u32) -> Result<(), Stop> {
    let (bno, at) = bit_place(op.geometry(), group, bit);
    let block = op.edit(bno, bitmap_want(group))?;
    let cleared = Bits::of_mut(block).set(at, len);
    assert_eq!(cleared, len, "only what is free is allocated");
    let head = BitmapHead::of_mut(block);
    head.free.set(head.free.get() - len);
    head.largest_run.set(head.largest_run.get().min(head.free.get()));
    if (at..at + len).contains(&head.first_free.get()) {
        head.first_free.set(at + len);
    }
    change(op, group, |core| core.free.set(core.free.get().saturating_sub(len)))?;
    count_blocks(op, i64::from(len))
}

/// Gives bits back that lie in one bitmap block, without counting blocks in use.
pub(super) fn give(op: &mut Op<'_>, group: u32, bit: u32, len: u32) -> Result<(), Stop> {
    let (bno, at) = bit_place(op.geometry(), group, bit);
    let block = op.edit(bno, bitmap_want(group))?;
    let bits = BitmapHead::of(block).bits.get();
    let map = Bits::of_mut(block);
    if at + len > bits || map.clear(at, len) != len {
        return Err(Damage::field(bno, bitmap_want(group), "bit of a block in use").into());
    }
    let start = map.last_set(at).map_or(0, |set| set + 1);
    let end = map.next_set(at + len, bits).unwrap_or(bits);
    let head = BitmapHead::of_mut(block);
    head.free.set(head.free.get() + len);
    head.largest_run.set(head.largest_run.get().max(end - start));
    head.first_free.set(head.first_free.get().min(at));
    change(op, group, |core| core.free.set(core.free.get() + len))
}

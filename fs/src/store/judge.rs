//! The whole judgement of a block, once, when it comes from the disk: so that operations rely on
//! counts within bounds and keys in order, and look only at how blocks fit together.

use super::{Block, Damage, Want};
use crate::dir;
use crate::format::{
    self, BODY_AT, FORM_EXTENTS, FORM_INDEXED_DIR, FORM_INLINE_DIR, GROUP_PENDING_AT,
    GROUP_PENDING_LEN, GROUP_REFCOUNTS_AT, GROUP_REFCOUNTS_LEN, Geometry, GroupCore, HEADER_LEN,
    InodeCore, Kind, LEAF_AREA_LEN, SLOT_ORPHANS_AT, SLOT_ORPHANS_LEN,
};
use crate::tree::{check_area, check_node};

/// Judges a block whose header is sound.
pub(super) fn judge(
    geometry: &Geometry,
    bno: u64,
    want: Want,
    block: &Block,
) -> Result<(), Damage> {
    let area = |at: usize, len: usize| &block.bytes()[at..at + len];
    let fields = match want.kind {
        Kind::ExtentNode | Kind::RefcountNode | Kind::PendingNode => check_node(block, true),
        Kind::DirNode | Kind::OrphanNode | Kind::XattrNode => check_node(block, false),
        Kind::Slot => check_area(area(SLOT_ORPHANS_AT, SLOT_ORPHANS_LEN), false),
        Kind::Inode => {
            let core = InodeCore::of(block);
            match core.form {
                FORM_INLINE_DIR => dir::check_run(area(BODY_AT, core.body_len())),
                FORM_EXTENTS => check_area(area(BODY_AT, core.body_len()), true),
                FORM_INDEXED_DIR => check_area(area(BODY_AT, core.body_len()), false),
                _ => Ok(()),
            }
        }
        Kind::Group => {
            GroupCore::of(block).check(geometry, want.owner as u32)?;
            check_area(area(GROUP_REFCOUNTS_AT, GROUP_REFCOUNTS_LEN), true)
                .and_then(|()| check_area(area(GROUP_PENDING_AT, GROUP_PENDING_LEN), true))
        }
        Kind::DirLeaf => dir::check_run(area(HEADER_LEN, LEAF_AREA_LEN)),
        Kind::Bitmap => return check_bitmap(geometry, bno, want, block),
        _ => Ok(()),
    };
    fields.map_err(|field| Damage::field(bno, want, field))
}

fn check_bitmap(geometry: &Geometry, bno: u64, want: Want, block: &Block) -> Result<(), Damage> {
    let group = want.owner as u32;
    let first = geometry.group_header(group) + 1;
    let index = bno.checked_sub(first).filter(|at| *at < u64::from(geometry.bitmap_blocks()));
    let index = index.ok_or(Damage::field(bno, want, "place"))?;
    let bits = format::bits_in(geometry.group_len(group), index);
    format::check_bits(block, bno, want, bits)
}

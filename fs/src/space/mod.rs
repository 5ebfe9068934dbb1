//! Allocation groups: bitmaps, hints, pending frees, refcounts, lazy initialisation.

use crate::store::{Op, Stop, Want};

pub fn alloc_meta(op: &mut Op<'_>, _want: Want, _near: u64) -> Result<u64, Stop> {
    Ok(op.temporary_block())
}

pub fn free_meta(op: &mut Op<'_>, bno: u64, want: Want) -> Result<(), Stop> {
    op.forget(bno, want)
}

pub struct Hints;
impl Hints {
    pub fn new(_: &crate::format::Geometry, _: u16) -> Hints {
        Hints
    }
}
pub fn finish(_: &mut Op<'_>) -> Result<(), Stop> {
    Ok(())
}

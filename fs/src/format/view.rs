//! Tables inside blocks: views that judge nothing and never fail.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::store::Block;

/// The table that begins at byte `at` of a block. The caller's table fits: offsets are constants.
#[inline]
pub(crate) fn table<T: FromBytes + KnownLayout + Immutable + Unaligned>(
    block: &Block,
    at: usize,
) -> &T {
    T::ref_from_prefix(&block.bytes()[at..]).expect("the table lies inside the block").0
}

/// The same, to be changed.
#[inline]
pub(crate) fn table_mut<T: FromBytes + IntoBytes + KnownLayout + Unaligned>(
    block: &mut Block,
    at: usize,
) -> &mut T {
    T::mut_from_prefix(&mut block.bytes_mut()[at..]).expect("the table lies inside the block").0
}

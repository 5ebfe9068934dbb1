//! How discards and zeroes are asked of the kernel, and what to try when it refuses.

use super::Shared;
use crate::block::{Io, Op};
use crate::ring::{Feature, FeatureSet};

/// One way to serve a discard or zeroes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// fallocate with this mode.
    Allocate(i32),
    /// BLOCK_URING_CMD_DISCARD.
    Command,
    /// BLKDISCARD on the helper thread.
    Ioctl,
    /// Writing zeroes.
    Write,
}

const PUNCH: i32 = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
const ZERO: i32 = libc::FALLOC_FL_ZERO_RANGE | libc::FALLOC_FL_KEEP_SIZE;

/// The ways to serve `io`, best first.
pub(super) fn ways(io: &Io, shared: &Shared, features: FeatureSet) -> &'static [Way] {
    let command = features.has(Feature::DiscardCommand);
    match (io.op, shared.is_block_device()) {
        (Op::Discard, true) if command => &[Way::Command, Way::Ioctl, Way::Allocate(PUNCH)],
        (Op::Discard, true) => &[Way::Ioctl, Way::Allocate(PUNCH)],
        (Op::Discard, false) => &[Way::Allocate(PUNCH)],
        _ if io.unmap => &[Way::Allocate(PUNCH), Way::Allocate(ZERO), Way::Write],
        _ => &[Way::Allocate(ZERO), Way::Write],
    }
}

/// True where the kernel's answer means that the next way is to be tried.
pub(super) fn refused(errno: i32) -> bool {
    matches!(errno, libc::EOPNOTSUPP | libc::ENOSYS | libc::ENOTTY | libc::EINVAL)
}

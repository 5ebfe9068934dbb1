//! The checks, one file each, in the order in which they are made.

mod abort;
mod absent;
mod again;
mod fenced;
mod other;
mod power;
mod race;
mod reads;
mod relogin;
mod reservation;
mod reset;

use super::script::{Check, WriteOp};

/// Every check.
pub(crate) fn all() -> Vec<Check> {
    let mut checks = vec![reservation::check(), race::check(), absent::check(), reads::check()];
    checks.extend(WriteOp::ALL.map(fenced::check));
    checks.extend([abort::check(), reset::in_flight(), reset::keeps()]);
    checks.extend([relogin::check(), other::check(), again::check(), power::check()]);
    checks
}

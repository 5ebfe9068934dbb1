//! Writers, crashes and power losses on one disk; afterwards, what was promised must be there.
//!
//! The promises, checked by [`model`] from outside: a write acknowledged with `fua`, or before the
//! submission of a flush that was acknowledged, is there after a power loss, or a later one is; a
//! read returns the last acknowledged write or one concurrent with it; no cell ever holds the
//! bytes of another or a mixture.

pub(crate) mod cell;
pub(crate) mod model;
mod stack;
mod story;
mod worker;

pub(crate) use story::run;

#[cfg(test)]
mod tests;

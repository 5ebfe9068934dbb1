//! Commands about files of a volume, without a mount: cp, ls, cat, rm, mkdir.

pub(crate) mod args;
mod cat;
pub(crate) mod copy;
mod cp;
mod ls;
mod place;
mod rm;

pub(crate) use cat::cat;
pub(crate) use cp::cp;
pub(crate) use ls::{ls, rows};
pub(crate) use place::{Within, own};
pub(crate) use rm::{mkdir, rm};

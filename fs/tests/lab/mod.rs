//! What crash tests share: a device that remembers every write, and the states that a crash could
//! have left of it.

#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod bench;
pub(crate) mod data;
pub(crate) mod disk;
pub(crate) mod image;
pub(crate) mod log;
pub(crate) mod matrix;
pub(crate) mod namespace;
pub(crate) mod states;
pub(crate) mod volume;

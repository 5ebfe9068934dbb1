//! NBD: exports of others as devices.

pub mod client;

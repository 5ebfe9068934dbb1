//! Front doors of a block device: what lets others use it over a network.
//!
//! A door knows a [`byway_engine::block::BlockDevice`] and nothing of what is behind it. The rules
//! of each protocol are machines of `byway-proto`; this room gives them sockets, memory and a
//! device. Its doors are the iSCSI target of [`iscsi`] and the NBD server of [`nbd`].

#![forbid(unsafe_code)]

mod buffer;
mod race;
mod watch;

pub mod iscsi;
pub mod nbd;

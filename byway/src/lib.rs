//! Opens anything by its URI: the front of the library.
//!
//! This is where the kinds of devices are known by name; the rooms below know only the waist,
//! `byway_engine::block`. Start at [`open`].

#![forbid(unsafe_code)]

pub mod daemon;
pub mod fuzz;
pub mod iscsi;
pub mod lun;
pub mod nbd;
mod open;
pub mod secret;
pub mod uri;
pub mod volume;

pub use open::{OpenOptions, open, open_with};
pub use uri::{FsUri, FsVolume, IscsiUri, NbdPlace, NbdUri, Uri, UriError};

//! Doors for the fuzzer: everything that reads bytes of a device.
//!
//! A door takes any bytes and asserts what holds for all of them: nothing panics, what is judged
//! sound can be used, what is not has a name. Checksums are made right before a block is judged, so
//! that a fuzzer gets past them.

mod block;
mod input;
mod journal;
mod superblock;
mod volume;

pub use block::fs_block;
pub use journal::fs_journal;
pub use superblock::fs_superblock;
pub use volume::fs_volume;

/// Takes any bytes and panics where a property does not hold.
pub type Door = fn(&[u8]);

/// All doors, by the names of their fuzz targets, in order.
pub const DOORS: [(&str, Door); 4] = [
    ("fs_block", fs_block),
    ("fs_journal", fs_journal),
    ("fs_superblock", fs_superblock),
    ("fs_volume", fs_volume),
];

use crate::format::{Geometry, PlanOptions};
use crate::mkfs::{Draft, Identity};

/// The uuid of all volumes of the doors.
const UUID: [u8; 16] = [9; 16];

/// A volume of 16 MiB with one journal.
fn draft() -> Draft {
    let plan =
        PlanOptions { group_len: Some(8 << 20), journal_len: Some(1 << 20), journals: Some(1) };
    let identity = Identity {
        uuid: UUID,
        dir_hash_key: [1; 16],
        cluster_key: [2; 32],
        root_generation: 7,
        label: String::new(),
        sector_len: 512,
        owner: (0, 0),
        created: 0,
    };
    Draft::new(Geometry::plan(16 << 20, &plan).expect("such a volume is legal"), identity)
}

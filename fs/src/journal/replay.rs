//! What a replay applies: pass 1 gathers frees and the newest image of each block, pass 2 decides
//! for each block by what is in place.
//!
//! Invariants: an image is skipped where the same journal frees its block later; versions are
//! compared only where the block in place is sound and of this volume and place, and anything else
//! is written over. So a replay may be broken off and begun again, and several journals may be
//! replayed in any order.

use std::collections::BTreeMap;

use super::Change;
use crate::format::{self, BLOCK_LEN, MAGIC, header};
use crate::store::Mutation;

/// All that the window of one journal holds, by block.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    images: BTreeMap<u64, Change>,
    freed: BTreeMap<u64, u64>,
    commits: u64,
}

/// What to do with one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Write it in place.
    Apply,
    /// What is in place is as new.
    Skip,
}

impl Replay {
    /// Notes what a commit changes. Commits come in order.
    pub fn add(&mut self, changes: Vec<Change>) {
        self.commits += 1;
        changes.into_iter().for_each(|change| self.note(change));
    }

    fn note(&mut self, change: Change) {
        if change.image.is_some() {
            self.images.insert(change.bno, change);
        } else {
            let version = self.freed.entry(change.bno).or_default();
            *version = (*version).max(change.version);
        }
    }

    /// Commits that were added.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// The images to be decided on, in the order of their blocks.
    pub fn images(&self) -> impl Iterator<Item = &Change> {
        let freed_at = |bno: &u64| self.freed.get(bno).copied().unwrap_or(0);
        self.images.values().filter(move |change| freed_at(&change.bno) <= change.version)
    }
}

/// Compares an image with what is in place.
pub fn verdict(
    in_place: &[u8; BLOCK_LEN],
    uuid: &[u8; 16],
    change: &Change,
    mutation: Mutation,
) -> Verdict {
    let found = header(in_place);
    let is_sound = found.magic.get() == MAGIC
        && found.uuid == *uuid
        && found.bno.get() == change.bno
        && found.crc.get() == format::checksum(in_place);
    let is_newer = is_sound && found.version.get() >= change.version;
    match is_newer && mutation != Mutation::ReplayWithoutVersion {
        true => Verdict::Skip,
        false => Verdict::Apply,
    }
}

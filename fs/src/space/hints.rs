//! Where space was found last: in memory only, never believed where the answer would be "full".

use crate::format::{Geometry, SLOTS};

/// No header of the group was seen yet.
const UNSEEN: u32 = u32::MAX;

/// What a node remembers of groups. Other nodes change them too, and operations fail: so all of
/// this only orders the search.
#[derive(Clone, Debug)]
pub struct Hints {
    /// Free and pending blocks of each group, as its header said last.
    room: Vec<u32>,
    /// The group that gave a block of metadata last, to somebody who wanted to be near nothing.
    pub(super) meta: u32,
    /// The same for data.
    pub(super) data: u32,
}

impl Hints {
    /// Slots begin at groups far from each other.
    pub fn new(geometry: &Geometry, slot: u16) -> Hints {
        let groups = u64::from(geometry.groups());
        let start = (u64::from(slot) * groups / u64::from(SLOTS)) as u32;
        Hints { room: Vec::new(), meta: start, data: start }
    }

    /// A header was seen.
    pub(super) fn saw(&mut self, group: u32, room: u32) {
        let at = group as usize;
        if self.room.len() <= at {
            self.room.resize(at + 1, UNSEEN);
        }
        self.room[at] = room;
    }

    /// True unless the group was seen without so much room.
    pub(super) fn may_have(&self, group: u32, blocks: u32) -> bool {
        self.room.get(group as usize).is_none_or(|room| *room >= blocks)
    }
}

//! The head of a journal: where its window begins.
//!
//! Two copies are written in turns, so that a torn one leaves the other; the sound copy with the
//! greater number counts.

use super::JournalPlace;
use crate::format::{self, HEAD_CLEAN, HEAD_DIRTY, JOURNAL_HEADS, JournalHeadCore, Kind};
use crate::store::{Block, Damage, Fault};

/// What a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Counts the writes of the head.
    pub seq: u64,
    /// The mount that wrote it.
    pub incarnation: u64,
    /// Where the oldest commit of the window begins.
    pub tail_pos: u64,
    /// The number of that commit.
    pub tail_seq: u64,
    /// Versions up to here were given.
    pub clock: u64,
    /// Somebody has the journal, or had it.
    pub is_dirty: bool,
}

impl Head {
    /// The head of a journal that was never used.
    pub fn new() -> Head {
        Head { seq: 0, incarnation: 0, tail_pos: 0, tail_seq: 1, clock: 0, is_dirty: false }
    }

    /// The block, sealed.
    pub fn encode(&self, place: &JournalPlace) -> Block {
        let mut block = Block::zeroed();
        block.set_header(&place.header(place.head_bno(self.seq), Kind::JournalHead, self.clock));
        *JournalHeadCore::of_mut(&mut block) = JournalHeadCore {
            seq: self.seq.into(),
            incarnation: self.incarnation.into(),
            tail_pos: self.tail_pos.into(),
            tail_seq: self.tail_seq.into(),
            clock: self.clock.into(),
            state: if self.is_dirty { HEAD_DIRTY } else { HEAD_CLEAN }.into(),
            reserved: 0.into(),
        };
        format::seal(block.bytes_mut());
        block
    }

    /// What one copy says.
    pub fn decode(place: &JournalPlace, copy: u64, block: &Block) -> Result<Head, Damage> {
        let (bno, want) = (place.start + copy, place.want(Kind::JournalHead));
        format::check(block.bytes(), &place.uuid, bno, want)?;
        let core = JournalHeadCore::of(block);
        let wrong = |name| Damage { bno, want, fault: Fault::Field(name) };
        if core.seq.get() % JOURNAL_HEADS != copy {
            return Err(wrong("number of its head"));
        }
        let is_dirty = match core.state.get() {
            HEAD_CLEAN => false,
            HEAD_DIRTY => true,
            _ => return Err(wrong("state")),
        };
        Ok(Head {
            seq: core.seq.get(),
            incarnation: core.incarnation.get(),
            tail_pos: core.tail_pos.get(),
            tail_seq: core.tail_seq.get(),
            clock: core.clock.get(),
            is_dirty,
        })
    }

    /// What the two copies say together.
    pub fn of_copies(place: &JournalPlace, copies: [&Block; 2]) -> Result<Head, Damage> {
        let [a, b] = [Head::decode(place, 0, copies[0]), Head::decode(place, 1, copies[1])];
        match (a, b) {
            (Ok(a), Ok(b)) => Ok(if a.seq > b.seq { a } else { b }),
            (Ok(head), Err(_)) | (Err(_), Ok(head)) => Ok(head),
            (Err(damage), Err(_)) => Err(damage),
        }
    }
}

impl Default for Head {
    fn default() -> Head {
        Head::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_sound_copy_counts() {
        let place = JournalPlace { uuid: [3; 16], slot: 2, start: 500, blocks: 256 };
        let old = Head { seq: 6, clock: 9, is_dirty: true, ..Head::new() };
        let new = Head { seq: 7, tail_pos: 40, tail_seq: 4, clock: 12, ..old };
        let (a, mut b) = (old.encode(&place), new.encode(&place));
        assert_eq!(Head::of_copies(&place, [&a, &b]), Ok(new));
        b.bytes_mut()[200] ^= 1;
        assert_eq!(Head::of_copies(&place, [&a, &b]), Ok(old), "the torn copy does not count");
        assert!(Head::of_copies(&place, [&b, &b]).is_err());
        assert!(Head::of_copies(&place, [&a, &a]).is_ok(), "a copy in the other's place is none");
    }
}

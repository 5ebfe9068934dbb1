//! Reading a window back: block after block from the tail on, until one is not of the next commit.
//!
//! ```text
//!        desc 0                 all descs               all images             commit
//! Begin ───────> Descs ─────────────────────> Images ─────────────> End ──────────────> Begin
//!   └─ not it: the window ends    └─ not it: …          └─ not it: …     └─ not it: …
//! ```
//!
//! A commit counts only as a whole: number, incarnation and position of every descriptor and of the
//! commit block are those that follow, and every image has the checksum that its entry names.

use super::{Head, JournalPlace};
use crate::format::{
    self, CommitCore, DescEntry, DescHead, ENTRIES_PER_DESC, ENTRY_FREE, Header, Kind,
};
use crate::store::{Block, Want};
use byway_engine::memory::Crc32c;

/// One change that a commit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where the block belongs.
    pub bno: u64,
    /// What it is.
    pub want: Want,
    /// The version of the image or the free.
    pub version: u64,
    /// The ring position of the image and its checksum; `None` where the block is freed.
    pub image: Option<(u64, u32)>,
}

/// What a block of the ring turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed {
    /// A part of a commit: go on.
    More,
    /// The end of a commit, with all that it changes.
    Commit(Vec<Change>),
    /// Not of the next commit: the window ends before that.
    End,
}

enum State {
    Begin,
    Descs { head: DescHead },
    Images { head: DescHead, at: usize },
    Ended,
}

/// A scan of one journal.
pub struct Scan {
    place: JournalPlace,
    incarnation: u64,
    /// The commit that must come.
    seq: u64,
    /// Where it begins.
    start: u64,
    /// The next position to be fed.
    pos: u64,
    tail: u64,
    clock: u64,
    state: State,
    crc: Crc32c,
    changes: Vec<Change>,
}

impl Scan {
    /// Begins where the head says.
    pub fn new(place: JournalPlace, head: &Head) -> Scan {
        Scan {
            place,
            incarnation: head.incarnation,
            seq: head.tail_seq,
            start: head.tail_pos,
            pos: head.tail_pos,
            tail: head.tail_pos,
            clock: head.clock,
            state: State::Begin,
            crc: Crc32c::new(),
            changes: Vec::new(),
        }
    }

    /// The ring position to be fed next.
    pub fn position(&self) -> u64 {
        self.pos
    }

    /// The greatest version that was given, as far as the head and the commits so far tell.
    pub fn clock(&self) -> u64 {
        self.clock
    }

    /// The number of the commit that would come next, and where it would begin.
    pub fn end(&self) -> (u64, u64) {
        (self.seq, self.start)
    }

    /// Takes the block at [`Scan::position`].
    pub fn feed(&mut self, block: &Block) -> Fed {
        let fed = if self.pos - self.tail >= self.place.ring() { None } else { self.take(block) };
        self.pos += 1;
        match fed {
            Some(fed) => fed,
            None => {
                self.state = State::Ended;
                Fed::End
            }
        }
    }

    fn take(&mut self, block: &Block) -> Option<Fed> {
        match self.state {
            State::Ended => None,
            State::Begin => {
                let head = self.desc(block, 0)?;
                (self.crc, self.changes) = (Crc32c::new(), Vec::with_capacity(self.room(&head)?));
                self.add_desc(block, head)
            }
            State::Descs { head } => {
                let index = (self.pos - self.start) as u16;
                let next = self.desc(block, index)?;
                let is_same = next.entries == head.entries && next.images == head.images;
                if is_same { self.add_desc(block, next) } else { None }
            }
            State::Images { head, at } if at < head.images.get() as usize => {
                let change = self.changes.get(at)?;
                let (_, crc) = change.image?;
                is_image(block, &self.place.uuid, change, crc).then_some(())?;
                self.state = State::Images { head, at: at + 1 };
                Some(Fed::More)
            }
            State::Images { head, .. } => self.finish(block, &head),
        }
    }

    /// A sound descriptor block of the commit that must come.
    fn desc(&self, block: &Block, index: u16) -> Option<DescHead> {
        self.sound(block, Kind::JournalDesc)?;
        let head = *DescHead::of(block);
        let descs = super::descs(head.entries.get() as usize);
        let before = usize::from(index) * ENTRIES_PER_DESC;
        let count = (head.entries.get() as usize).saturating_sub(before).min(ENTRIES_PER_DESC);
        let is_next = head.seq.get() == self.seq
            && head.incarnation.get() == self.incarnation
            && head.start.get() == self.start
            && head.index.get() == index
            && usize::from(head.descs.get()) == descs
            && usize::from(head.count.get()) == count
            && head.images <= head.entries
            && head.reserved == [0; 26];
        is_next.then_some(head)
    }

    fn sound(&self, block: &Block, kind: Kind) -> Option<()> {
        let want = self.place.want(kind);
        format::check(block.bytes(), &self.place.uuid, self.place.bno(self.pos), want).ok()
    }

    /// Entries of the commit, where it fits into the ring.
    fn room(&self, head: &DescHead) -> Option<usize> {
        let (entries, images) = (head.entries.get() as usize, head.images.get() as usize);
        let len = super::commit_len(images, entries - images);
        (entries > 0 && len <= self.place.ring()).then_some(entries)
    }

    fn add_desc(&mut self, block: &Block, head: DescHead) -> Option<Fed> {
        self.crc.update(block.bytes());
        let images = head.images.get() as usize;
        let first = self.start + u64::from(head.descs.get());
        for entry in &DescEntry::all(block)[..usize::from(head.count.get())] {
            let at = self.changes.len();
            let change = meaning(entry, (at < images).then_some(first + at as u64))?;
            self.changes.push(change);
        }
        self.state = match head.index.get() + 1 == head.descs.get() {
            true => State::Images { head, at: 0 },
            false => State::Descs { head },
        };
        Some(Fed::More)
    }

    fn finish(&mut self, block: &Block, head: &DescHead) -> Option<Fed> {
        self.sound(block, Kind::JournalCommit)?;
        let commit = *CommitCore::of(block);
        let is_it = commit.seq == head.seq
            && commit.incarnation == head.incarnation
            && commit.start == head.start
            && u64::from(commit.blocks.get()) == self.pos + 1 - self.start
            && commit.crc.get() == self.crc.value();
        if !is_it {
            return None;
        }
        self.clock = self.clock.max(commit.clock.get());
        (self.seq, self.start, self.state) = (self.seq + 1, self.pos + 1, State::Begin);
        Some(Fed::Commit(std::mem::take(&mut self.changes)))
    }
}

/// What an entry says; `image` is the position of its image where it must have one.
fn meaning(entry: &DescEntry, image: Option<u64>) -> Option<Change> {
    let want = Want::new(Kind::from_code(entry.kind.get())?, entry.owner.get());
    let is_consistent = match image {
        Some(_) => entry.flags.get() == 0,
        None => entry.flags.get() == ENTRY_FREE && entry.crc.get() == 0,
    };
    is_consistent.then(|| Change {
        bno: entry.bno.get(),
        want,
        version: entry.version.get(),
        image: image.map(|pos| (pos, entry.crc.get())),
    })
}

/// True for the very image that an entry names.
pub(super) fn is_image(block: &Block, uuid: &[u8; 16], change: &Change, crc: u32) -> bool {
    let header: &Header = block.header();
    header.crc.get() == crc
        && header.version.get() == change.version
        && format::check(block.bytes(), uuid, change.bno, change.want).is_ok()
}

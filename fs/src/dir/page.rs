//! A run of names in memory: walking, searching and changing it, as pure work on bytes.
//!
//! Its area begins with the head; the format is in [`crate::format::LeafHead`]. Walking judges what
//! it walks over: lengths stay within the run, cookies ascend, names have no '/' and no NUL. A run
//! that breaks this yields the name of the wrong field, never a panic. Changing takes offsets that
//! a walk over the same bytes gave out.

use zerocopy::{FromBytes, IntoBytes};

use crate::format::{
    COOKIE_END, ENTRY_HEAD_LEN, EntryHead, LEAF_HEAD_LEN, LeafHead, end_cookie, entry_len,
    first_cookie,
};
use crate::inode::InodeRef;

/// The field that is wrong.
pub(crate) type Flaw = &'static str;

/// One name of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'a> {
    /// Where its entry begins, in bytes after the head.
    pub(crate) at: usize,
    pub(crate) head: &'a EntryHead,
    pub(crate) name: &'a [u8],
}

impl Name<'_> {
    /// Where its entry ends.
    pub(crate) fn end(&self) -> usize {
        self.at + entry_len(self.name.len())
    }

    pub(crate) fn cookie(&self) -> u64 {
        self.head.cookie.get()
    }

    /// The dinode that it names.
    pub(crate) fn target(&self) -> InodeRef {
        InodeRef { ino: self.head.ino.get(), generation: self.head.generation.get() }
    }

    /// Judges what a walk over it does not need.
    pub(crate) fn judge(&self) -> Result<(), Flaw> {
        if self.head.reserved.get() != 0 {
            return Err("entry reserve");
        }
        if self.head.ino.get() == 0 {
            return Err("entry inode");
        }
        if self.name.iter().any(|byte| matches!(byte, 0 | b'/')) { Err("name") } else { Ok(()) }
    }
}

/// A run of names, its head judged.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a> {
    head: &'a LeafHead,
    entries: &'a [u8],
    room: usize,
}

impl<'a> Page<'a> {
    /// The run in an area.
    pub(crate) fn of(area: &'a [u8]) -> Result<Page<'a>, Flaw> {
        let (head, rest) = LeafHead::ref_from_prefix(area).map_err(|_| "area")?;
        if head.reserved.get() != 0 {
            return Err("leaf reserve");
        }
        let entries = rest.get(..usize::from(head.used.get())).ok_or("used bytes")?;
        Ok(Page { head, entries, room: rest.len() })
    }

    pub(crate) fn count(&self) -> usize {
        usize::from(self.head.count.get())
    }

    pub(crate) fn used(&self) -> usize {
        self.entries.len()
    }

    /// The bytes of its entries.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.entries
    }

    /// Bytes that entries may still take.
    pub(crate) fn free(&self) -> usize {
        self.room - self.entries.len()
    }

    /// The lowest cookie that it may hold.
    pub(crate) fn first_cookie(&self) -> u64 {
        self.head.first_cookie.get()
    }

    /// Its names, ascending by cookie.
    #[inline]
    pub(crate) fn names(&self) -> Names<'a> {
        let floor = self.head.first_cookie.get().max(crate::format::COOKIE_MIN);
        Names { entries: self.entries, at: 0, floor, left: self.count() }
    }

    /// The place at or after the middle where the run is best cut: the entry that begins there, and
    /// its cookie. Neither part is empty. None for a run of less than two names.
    pub(crate) fn median(&self) -> Result<Option<(usize, u64)>, Flaw> {
        let mut best = None;
        for (nth, name) in self.names().enumerate() {
            let name = name?;
            if nth > 0 {
                best = Some((name.at, name.cookie()));
            }
            if nth > 0 && name.at >= self.entries.len() / 2 {
                break;
            }
        }
        Ok(best)
    }
}

/// A walk over a run.
pub(crate) struct Names<'a> {
    entries: &'a [u8],
    at: usize,
    floor: u64,
    left: usize,
}

impl<'a> Names<'a> {
    #[inline]
    fn step(&mut self) -> Result<Name<'a>, Flaw> {
        let at = self.at;
        let (head, rest) =
            EntryHead::ref_from_prefix(&self.entries[at..]).map_err(|_| "entry length")?;
        let len = usize::from(head.name_len);
        let name = rest.get(..len).ok_or("entry length")?;
        let cookie = head.cookie.get();
        if len == 0 || rest.len() < entry_len(len) - ENTRY_HEAD_LEN {
            return Err("name length");
        }
        if cookie < self.floor || cookie >= COOKIE_END {
            return Err("cookie");
        }
        self.left = self.left.checked_sub(1).ok_or("count of names")?;
        self.floor = cookie + 1;
        self.at = at + entry_len(len);
        Ok(Name { at, head, name })
    }

    #[cold]
    fn end(&mut self) -> Option<Flaw> {
        (std::mem::take(&mut self.left) != 0).then_some("count of names")
    }
}

impl<'a> Iterator for Names<'a> {
    type Item = Result<Name<'a>, Flaw>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.entries.len() {
            return self.end().map(Err);
        }
        let step = self.step();
        if step.is_err() {
            // What follows a wrong entry has no beginning.
            (self.at, self.left) = (self.entries.len(), 0);
        }
        Some(step)
    }
}

/// Judges a run: everything that can be seen from its bytes.
pub(crate) fn check(area: &[u8]) -> Result<(), Flaw> {
    let page = Page::of(area)?;
    page.names().try_for_each(|name| name?.judge())?;
    let rest = &area[LEAF_HEAD_LEN + page.used()..];
    if rest.iter().all(|byte| *byte == 0) { Ok(()) } else { Err("bytes after the names") }
}

/// What a search over one run found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hit<'a> {
    /// The name.
    Found(Name<'a>),
    /// No such name in this run. Where an entry with the lowest free cookie begins, as far as the
    /// search has come.
    Absent(usize),
}

/// The search for one name, over the run or runs that its hash may lie in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'n> {
    name: &'n [u8],
    first: u64,
    end: u64,
    free: u64,
    gap: bool,
}

impl<'n> Search<'n> {
    /// A search for a name with this hash.
    pub(crate) fn new(name: &'n [u8], hash: u64) -> Search<'n> {
        let first = first_cookie(hash);
        Search { name, first, end: end_cookie(hash), free: first, gap: false }
    }

    /// The lowest cookie that the name can have.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The highest cookie that the name can have.
    pub(crate) fn last(&self) -> u64 {
        self.end - 1
    }

    /// The lowest free cookie of the hash, when the search has been over all its runs. None if no
    /// cookie is free.
    pub(crate) fn free_cookie(&self) -> Option<u64> {
        (self.free < self.end).then_some(self.free)
    }

    /// Searches the next run.
    #[inline]
    pub(crate) fn over<'a>(&mut self, page: Page<'a>) -> Result<Hit<'a>, Flaw> {
        let mut place = 0;
        for name in page.names() {
            let name = name?;
            let cookie = name.cookie();
            if cookie >= self.end {
                break;
            }
            if cookie >= self.first {
                if name.name == self.name {
                    name.judge()?;
                    return Ok(Hit::Found(name));
                }
                self.gap |= cookie != self.free;
                self.free += u64::from(!self.gap);
            }
            if !self.gap {
                place = name.end();
            }
        }
        Ok(Hit::Absent(place))
    }
}

/// What an entry says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewEntry<'n> {
    pub(crate) cookie: u64,
    pub(crate) target: InodeRef,
    pub(crate) file_type: u8,
    pub(crate) name: &'n [u8],
}

/// Makes an area an empty run.
pub(crate) fn clear(area: &mut [u8], first_cookie: u64) {
    area.fill(0);
    head_mut(area).first_cookie = first_cookie.into();
}

/// Puts an entry at a place that a search named. The area has room for it.
pub(crate) fn insert(area: &mut [u8], at: usize, entry: NewEntry<'_>) {
    let len = entry_len(entry.name.len());
    let used = usize::from(head_mut(area).used.get());
    let entries = &mut area[LEAF_HEAD_LEN..];
    entries.copy_within(at..used, at + len);
    let (head, rest) = entries[at..at + len].split_at_mut(ENTRY_HEAD_LEN);
    let new = EntryHead {
        cookie: entry.cookie.into(),
        ino: entry.target.ino.into(),
        generation: entry.target.generation.into(),
        name_len: entry.name.len() as u8,
        file_type: entry.file_type,
        reserved: 0.into(),
    };
    head.copy_from_slice(new.as_bytes());
    rest[..entry.name.len()].copy_from_slice(entry.name);
    rest[entry.name.len()..].fill(0);
    resize(area, 1, used + len);
}

/// Takes the entry at `at` out.
pub(crate) fn remove(area: &mut [u8], at: usize) {
    let len = entry_len(usize::from(entry_mut(area, at).name_len));
    let used = usize::from(head_mut(area).used.get());
    let entries = &mut area[LEAF_HEAD_LEN..];
    entries.copy_within(at + len..used, at);
    entries[used - len..used].fill(0);
    resize(area, -1, used - len);
}

/// Lets the entry at `at` name another dinode.
pub(crate) fn replace(area: &mut [u8], at: usize, target: InodeRef, file_type: u8) {
    let entry = entry_mut(area, at);
    entry.ino = target.ino.into();
    entry.generation = target.generation.into();
    entry.file_type = file_type;
}

/// Cuts a run at an entry; gives out the bytes and the number of names that it lost.
pub(crate) fn cut(area: &mut [u8], at: usize) -> (Vec<u8>, u16) {
    let page = Page::of(area).expect("the run was walked over");
    let left = page.names().take_while(|name| matches!(name, Ok(name) if name.at < at)).count();
    let (used, lost) = (page.used(), page.count() - left);
    let entries = &mut area[LEAF_HEAD_LEN..];
    let tail = entries[at..used].to_vec();
    entries[at..used].fill(0);
    resize(area, -(lost as i32), at);
    (tail, lost as u16)
}

/// Fills an empty run with the bytes of entries.
pub(crate) fn fill(area: &mut [u8], entries: &[u8], count: u16) {
    area[LEAF_HEAD_LEN..][..entries.len()].copy_from_slice(entries);
    resize(area, i32::from(count), entries.len());
}

fn resize(area: &mut [u8], names: i32, used: usize) {
    let head = head_mut(area);
    let count = i32::from(head.count.get()) + names;
    head.count = u16::try_from(count).expect("a run holds as many names as it counts").into();
    head.used = u16::try_from(used).expect("a run is shorter than a block").into();
}

fn head_mut(area: &mut [u8]) -> &mut LeafHead {
    LeafHead::mut_from_prefix(area).expect("an area holds a head").0
}

fn entry_mut(area: &mut [u8], at: usize) -> &mut EntryHead {
    let entries = &mut area[LEAF_HEAD_LEN + at..];
    EntryHead::mut_from_prefix(entries).expect("an entry was found there").0
}

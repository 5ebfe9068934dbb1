//! Listing a directory, in the order of its cookies, a part at a time.
//!
//! A part begins after a cookie, so whatever was changed in between, a name that was there all the
//! time is listed once.

use super::leaf::{self, Leaf};
use super::page::{Name, Page};
use super::{Entry, Flaw, inline_flaw, leaf_flaw};
use crate::format::{COOKIE_END, FORM_INDEXED_DIR, FORM_INLINE_DIR};
use crate::inode::Inode;
use crate::store::{FsError, Op, Stop};

/// A part of a directory. The bytes of all names lie in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    entries: Vec<(Entry, usize)>,
    names: Vec<u8>,
}

/// One name of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'l> {
    /// What it leads to. Its cookie lets the next part begin after it.
    pub entry: Entry,
    /// The name.
    pub name: &'l [u8],
}

impl Listing {
    /// Names in it. Fewer than were asked for: the directory ends here.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without names.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Its `nth` name.
    pub fn get(&self, nth: usize) -> Option<Listed<'_>> {
        let (entry, end) = *self.entries.get(nth)?;
        let start = nth.checked_sub(1).map_or(0, |before| self.entries[before].1);
        Some(Listed { entry, name: &self.names[start..end] })
    }

    /// Its names, ascending by cookie.
    pub fn iter(&self) -> impl Iterator<Item = Listed<'_>> {
        (0..self.len()).filter_map(|nth| self.get(nth))
    }

    /// The cookie of its last name.
    pub fn last_cookie(&self) -> Option<u64> {
        self.entries.last().map(|(entry, _)| entry.cookie)
    }

    fn push(&mut self, name: &Name<'_>) {
        self.names.extend_from_slice(name.name);
        self.entries.push((Entry::of(name), self.names.len()));
    }

    /// Takes names after a cookie from a run whose cookies are all below `end`.
    fn take(&mut self, page: Page<'_>, after: u64, end: u64, limit: usize) -> Result<(), Flaw> {
        for name in page.names() {
            let name = name?;
            if name.cookie() >= end {
                return Err("cookie");
            }
            if name.cookie() <= after {
                continue;
            }
            if self.len() == limit {
                break;
            }
            name.judge()?;
            self.push(&name);
        }
        Ok(())
    }
}

/// The first `limit` names after a cookie; 0 is before all.
pub fn list(op: &Op<'_>, dir: &Inode, after: u64, limit: usize) -> Result<Listing, Stop> {
    let mut listing = Listing::default();
    match dir.core().form {
        FORM_INDEXED_DIR => list_leaves(op, dir, after, limit, &mut listing)?,
        FORM_INLINE_DIR => {
            let page = Page::of(dir.body());
            page.and_then(|page| listing.take(page, after, COOKIE_END, limit))
                .map_err(|flaw| inline_flaw(dir.ino(), flaw))?;
        }
        _ => return Err(FsError::NotDirectory.into()),
    }
    Ok(listing)
}

fn list_leaves(
    op: &Op<'_>,
    dir: &Inode,
    after: u64,
    limit: usize,
    listing: &mut Listing,
) -> Result<(), Stop> {
    if after >= COOKIE_END {
        return Ok(());
    }
    let mut at: Option<Leaf> = Some(leaf::covering(op, dir, after + 1)?);
    while let Some(leaf) = at.filter(|_| listing.len() < limit) {
        let next = leaf::next(op, dir, leaf.key)?;
        let end = next.map_or(COOKIE_END, |next| next.key);
        let read = leaf::read(op, dir, leaf)?;
        read.page()
            .and_then(|page| listing.take(page, after, end, limit))
            .map_err(|flaw| leaf_flaw(leaf.bno, dir.ino(), flaw))?;
        at = next;
    }
    Ok(())
}

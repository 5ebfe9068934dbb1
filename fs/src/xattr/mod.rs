//! Extended attributes: small ones in the dinode, big ones in blocks of their own.
//!
//! An attribute is in one of the two places, never in both. It lies in the tail of the dinode's body
//! while all that lie there take 1,024 bytes at most and the body has room; otherwise the tree at
//! `xattr_root` leads to a chain of blocks that hold it. So one operation edits 17 value blocks at
//! most, and the tree.

mod chain;
mod inline;
#[cfg(test)]
mod tests;

pub use chain::free_step;

use crate::format::{Timestamp, XATTR_INLINE_MAX, XATTR_NAME_MAX, XATTR_PREFIXES, XATTR_VALUE_MAX};
use crate::inode::{self, Inode, InodeRef, edit};
use crate::space;
use crate::store::{FsError, Op, Stop};

/// What [`set`] does about an attribute that exists, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetMode {
    /// Makes or replaces it.
    Any,
    /// Fails with [`FsError::Exists`] if it exists.
    Create,
    /// Fails with [`FsError::NotFound`] if it does not.
    Replace,
}

/// The name of an attribute, without the prefix of its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name<'n> {
    index: u8,
    name: &'n [u8],
}

impl<'n> Name<'n> {
    fn parse(full: &'n [u8]) -> Result<Name<'n>, FsError> {
        let known = |(index, prefix): &(u8, &str)| {
            full.strip_prefix(prefix.as_bytes()).map(|name| Name { index: *index, name })
        };
        let name = XATTR_PREFIXES.iter().find_map(known);
        let name = name.ok_or(FsError::Invalid("namespace of an attribute"))?;
        match name.name {
            [] => Err(FsError::Invalid("name of an attribute")),
            bytes if bytes.contains(&0) => Err(FsError::Invalid("name of an attribute")),
            bytes if bytes.len() > XATTR_NAME_MAX => Err(FsError::NameTooLong),
            _ => Ok(name),
        }
    }

    /// With its prefix. None for a namespace that has none.
    fn full(&self) -> Option<Vec<u8>> {
        let (_, prefix) = XATTR_PREFIXES.iter().find(|(index, _)| *index == self.index)?;
        Some([prefix.as_bytes(), self.name].concat())
    }

    fn hash(&self, op: &Op<'_>) -> u64 {
        let mut bytes = [0; 1 + XATTR_NAME_MAX];
        bytes[0] = self.index;
        bytes[1..=self.name.len()].copy_from_slice(self.name);
        op.name_hash(&bytes[..=self.name.len()])
    }
}

/// The value of an attribute.
pub fn get(op: &Op<'_>, at: InodeRef, name: &[u8]) -> Result<Option<Vec<u8>>, Stop> {
    let name = Name::parse(name)?;
    let inode = inode::read(op, at)?;
    if let Some(value) = inline::find(&inode, name)? {
        return Ok(Some(value.to_vec()));
    }
    match chain::find(op, &inode, name)? {
        Some(found) => found.value(op, &inode).map(Some),
        None => Ok(None),
    }
}

/// The names of all attributes, with their prefixes.
pub fn list(op: &Op<'_>, at: InodeRef) -> Result<Vec<Vec<u8>>, Stop> {
    let inode = inode::read(op, at)?;
    let mut names = Vec::new();
    for attribute in inline::all(&inode) {
        names.extend(attribute.map_err(|flaw| inline::flawed(&inode, flaw))?.name.full());
    }
    chain::list(op, &inode, &mut names)?;
    Ok(names)
}

/// Sets an attribute.
pub fn set(
    op: &mut Op<'_>,
    at: InodeRef,
    name: &[u8],
    value: &[u8],
    mode: SetMode,
) -> Result<(), Stop> {
    let name = Name::parse(name)?;
    if value.len() > XATTR_VALUE_MAX {
        return Err(FsError::Range.into());
    }
    let inode = inode::read(op, at)?;
    inode.demand_mutable()?;
    let chained = chain::find(op, &inode, name)?;
    let inlined = inline::find(&inode, name)?.is_some();
    match mode {
        SetMode::Create if inlined || chained.is_some() => return Err(FsError::Exists.into()),
        SetMode::Replace if !inlined && chained.is_none() => return Err(FsError::NotFound.into()),
        _ => {}
    }
    place(op, &inode, name, value, chained)?;
    changed(op, at.ino)
}

fn place(
    op: &mut Op<'_>,
    inode: &Inode,
    name: Name<'_>,
    value: &[u8],
    chained: Option<chain::Chained>,
) -> Result<(), Stop> {
    let tail = inline::with(inode, name, Some(value))?;
    if tail.len() <= XATTR_INLINE_MAX && inline::fits(inode, tail.len())? {
        inline::store(op, inode.ino(), &tail)?;
        return match chained {
            Some(chained) => chain::remove(op, inode, chained),
            None => Ok(()),
        };
    }
    if inline::find(inode, name)?.is_some() {
        inline::store(op, inode.ino(), &inline::with(inode, name, None)?)?;
    }
    chain::set(op, inode, name, value, chained)
}

/// Removes an attribute.
pub fn remove(op: &mut Op<'_>, at: InodeRef, name: &[u8]) -> Result<(), Stop> {
    space::gives_back(op);
    let name = Name::parse(name)?;
    let inode = inode::read(op, at)?;
    inode.demand_mutable()?;
    if inline::find(&inode, name)?.is_some() {
        inline::store(op, at.ino, &inline::with(&inode, name, None)?)?;
    } else {
        let chained = chain::find(op, &inode, name)?.ok_or(FsError::NotFound)?;
        chain::remove(op, &inode, chained)?;
    }
    changed(op, at.ino)
}

fn changed(op: &mut Op<'_>, ino: u64) -> Result<(), Stop> {
    let now = Timestamp::new(op.now());
    edit(op, ino)?.ctime = now;
    Ok(())
}

//! Paths: walking from a directory along names, through symbolic links.

use super::{directory, lookup, readlink};
use crate::dir::check_name;
use crate::format::MODE_LINK;
use crate::inode::{self, InodeRef};
use crate::store::{FsError, Op, Stop};

/// Symbolic links that one path may lead through.
pub const SYMLINKS_MAX: usize = 40;
/// The longest path, with the targets of links put in.
const PATH_LEN_MAX: usize = 65_536;

/// Walks `path` from the directory `from`, or from `root` if it begins with a slash. ".." of the
/// root is the root. The last name's link is followed only if `follow`; a slash at the end demands
/// a directory, and follows too.
pub fn resolve(
    op: &Op<'_>,
    root: InodeRef,
    from: InodeRef,
    path: &[u8],
    follow: bool,
) -> Result<InodeRef, Stop> {
    let mut left = path.to_vec();
    let mut at = if path.starts_with(b"/") { root } else { from };
    let mut links = 0;
    while !left.is_empty() {
        let end = left.iter().position(|byte| *byte == b'/').unwrap_or(left.len());
        let rest = left.split_off(end);
        let name = std::mem::replace(&mut left, rest);
        let next = step(op, root, at, &name)?;
        let inode = inode::read(op, next)?;
        let last = left.is_empty();
        if inode.core().file_type() != MODE_LINK || (last && !follow) {
            at = next;
            demand_directory(op, at, &left)?;
        } else {
            links += 1;
            let target = readlink(op, next)?;
            if links > SYMLINKS_MAX || target.len() + left.len() > PATH_LEN_MAX {
                return Err(FsError::Invalid("too many symbolic links in a path").into());
            }
            at = if target.starts_with(b"/") { root } else { at };
            left = [target, left].concat();
        }
        let slashes = left.iter().take_while(|byte| **byte == b'/').count();
        left.drain(..slashes);
    }
    Ok(at)
}

/// The directory that holds the last name of a path, and that name: for operations on names.
/// Slashes at the end do not count.
///
/// # Errors
/// [`FsError::Invalid`] for a path that ends in no name, such as "/" or "a/..".
pub fn resolve_parent<'p>(
    op: &Op<'_>,
    root: InodeRef,
    from: InodeRef,
    path: &'p [u8],
) -> Result<(InodeRef, &'p [u8]), Stop> {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let path = &path[..end];
    let start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (above, name) = path.split_at(start);
    check_name(name)?;
    Ok((resolve(op, root, from, above, true)?, name))
}

/// A slash follows: what was found must be a directory.
fn demand_directory(op: &Op<'_>, at: InodeRef, left: &[u8]) -> Result<(), Stop> {
    if left.is_empty() { Ok(()) } else { directory(op, at).map(drop) }
}

/// What one name of a path leads to.
fn step(op: &Op<'_>, root: InodeRef, at: InodeRef, name: &[u8]) -> Result<InodeRef, Stop> {
    match name {
        b"" | b"." => directory(op, at).map(|dir| dir.at()),
        b".." if at == root => Ok(root),
        b".." => {
            let parent = directory(op, at)?.core().parent.get();
            inode::read_number(op, parent).map(|parent| parent.at())
        }
        name => lookup(op, at, name).map(|entry| entry.target),
    }
}

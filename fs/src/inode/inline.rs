//! Small files: their bytes lie in the dinode, and so do the targets of symbolic links.

use super::{Inode, InodeRef, edit, edit_body, read};
use crate::format::{FORM_EXTENTS, FORM_INLINE, Kind};
use crate::store::{FsError, Op, Stop};

/// The bytes of a file that lie in its dinode. None where the file has extents; a file without
/// anything has none, and no bytes.
pub fn inline_bytes(inode: &Inode) -> Option<&[u8]> {
    let core = inode.core();
    // The judge of dinodes holds the size within the body.
    (core.form == FORM_INLINE).then(|| &inode.body()[..core.size.get() as usize])
}

/// Writes into a small file; it grows as needed, and what lies between is zero. False, and nothing
/// is changed, if the file has extents or gets too long for its dinode.
pub fn inline_put(op: &mut Op<'_>, at: InodeRef, offset: u64, bytes: &[u8]) -> Result<bool, Stop> {
    let inode = read(op, at)?;
    let end = offset.checked_add(bytes.len() as u64).ok_or(FsError::Range)?;
    if !is_inline(op, &inode)? || end > inode.body().len() as u64 {
        return Ok(false);
    }
    edit_body(op, at.ino)?[offset as usize..end as usize].copy_from_slice(bytes);
    let core = edit(op, at.ino)?;
    core.form = FORM_INLINE;
    core.size = core.size.get().max(end).into();
    Ok(true)
}

/// Sets the length of a small file; what it gains is zero. False, and nothing is changed, if the
/// file has extents or gets too long for its dinode.
pub fn inline_truncate(op: &mut Op<'_>, at: InodeRef, size: u64) -> Result<bool, Stop> {
    let inode = read(op, at)?;
    if !is_inline(op, &inode)? || size > inode.body().len() as u64 {
        return Ok(false);
    }
    edit_body(op, at.ino)?[size as usize..].fill(0);
    let core = edit(op, at.ino)?;
    core.form = FORM_INLINE;
    core.size = size.into();
    Ok(true)
}

/// Takes the bytes out of the dinode; the file has no extents then, and keeps its size. The same
/// operation puts the bytes elsewhere.
pub fn inline_evict(op: &mut Op<'_>, at: InodeRef) -> Result<Vec<u8>, Stop> {
    let inode = read(op, at)?;
    let Some(bytes) = inline_bytes(&inode) else {
        return Ok(Vec::new());
    };
    edit_body(op, at.ino)?.fill(0);
    edit(op, at.ino)?.form = FORM_EXTENTS;
    Ok(bytes.to_vec())
}

/// True where bytes are, or may be, in the dinode: a file of size 0 without extents may begin so.
fn is_inline(op: &Op<'_>, inode: &Inode) -> Result<bool, Stop> {
    let core = inode.core();
    match core.form {
        FORM_INLINE => Ok(true),
        FORM_EXTENTS if core.size.get() == 0 => inode.body_tree(Kind::ExtentNode).is_empty(op),
        _ => Ok(false),
    }
}

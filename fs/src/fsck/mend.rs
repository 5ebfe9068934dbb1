//! Fields of a dinode that cannot be: each gets the nearest value that can.

use std::rc::Rc;

use super::check::Check;
use super::finding::Code;
use super::names::is_in_fields;
use super::reader::Gone;
use crate::format::{
    self, FLAGS, FORM_EXTENTS, FORM_INDEXED_DIR, FORM_INLINE, FORM_INLINE_DIR, InodeCore, Kind,
    MODE_DIRECTORY, MODE_LINK, MODE_REGULAR, MODE_TYPE, Timestamp, XATTR_INLINE_MAX,
};
use crate::store::{Block, Damage, Want};

/// A dinode was refused. Where only its fields are wrong, the mended block.
pub(crate) async fn mend_fields(c: &mut Check, damage: Damage) -> Result<Option<Rc<Block>>, Gone> {
    let ino = damage.bno;
    if !is_in_fields(damage.fault) || damage.want.kind != Kind::Inode {
        return Ok(None);
    }
    let Some(block) = c.reader.raw(ino).await? else {
        return Ok(None);
    };
    if format::check(block.bytes(), c.reader.uuid(), ino, Want::new(Kind::Inode, ino)).is_err() {
        return Ok(None);
    }
    let mut mended = Block::clone(&block);
    let core = InodeCore::of_mut(&mut mended);
    mend(core);
    if core.check(ino).is_err() {
        return Ok(None);
    }
    c.note(Code::InodeField, ino, format!("inode {ino}: {damage}; it gets a value that can be"));
    c.put(ino, mended.clone());
    Ok(Some(Rc::new(mended)))
}

fn mend(core: &mut InodeCore) {
    if core.generation.get() == 0 {
        core.generation = 1.into();
    }
    mend_mode(core);
    core.flags = (core.flags.get() & FLAGS).into();
    core.size = core.size.get().min(i64::MAX as u64).into();
    core.blocks = core.blocks.get().max(1).into();
    for stamp in [&mut core.atime, &mut core.mtime, &mut core.ctime, &mut core.btime] {
        if !stamp.is_legal() {
            *stamp = Timestamp::new(0);
        }
    }
    let xattrs = usize::from(core.xattr_inline_len.get());
    if xattrs > XATTR_INLINE_MAX || !xattrs.is_multiple_of(8) {
        core.xattr_inline_len = 0.into();
    }
    if core.form == FORM_INLINE {
        core.size = core.size.get().min(core.body_len() as u64).into();
    }
    if !core.is_directory() {
        core.entries = 0.into();
    }
    core.reserved_a = 0;
    core.reserved_b.fill(0);
}

/// Type and form must suit each other; the form says more, as it tells how the body is read.
fn mend_mode(core: &mut InodeCore) {
    let mode = core.mode.get();
    let permissions = mode & 0o7777;
    let kind = match core.form {
        FORM_INLINE_DIR | FORM_INDEXED_DIR => MODE_DIRECTORY,
        FORM_INLINE if mode & MODE_TYPE == MODE_LINK => MODE_LINK,
        FORM_INLINE => MODE_REGULAR,
        FORM_EXTENTS if mode & MODE_TYPE != MODE_DIRECTORY && is_type(mode) => mode & MODE_TYPE,
        _ => MODE_REGULAR,
    };
    core.mode = (kind | permissions).into();
    if core.form > FORM_INDEXED_DIR {
        core.form = FORM_EXTENTS;
    }
}

fn is_type(mode: u32) -> bool {
    use format::{MODE_BLOCK, MODE_CHARACTER, MODE_FIFO, MODE_SOCKET};
    let known = [MODE_FIFO, MODE_CHARACTER, MODE_BLOCK, MODE_REGULAR, MODE_LINK, MODE_SOCKET];
    known.contains(&(mode & MODE_TYPE))
}

//! What a copy must not hold: bytes of files, and where asked for, names.

use super::ImageOptions;
use super::scramble::{names, value, xattr_values};
use crate::format::{
    BODY_AT, FORM_INLINE, FORM_INLINE_DIR, HEADER_LEN, InodeCore, Kind, MODE_LINK, checksum,
    header, seal,
};
use crate::store::Block;

/// Takes out of a block what the copy must not hold. A block whose checksum was wrong keeps a wrong
/// one: a report of a damage shows the damage.
pub(super) fn scrub(block: &mut Block, options: ImageOptions) {
    let was_sound = header(block.bytes()).crc.get() == checksum(block.bytes());
    let is_changed = match Kind::from_code(header(block.bytes()).kind.get()) {
        Some(Kind::Inode) => inode(block, options),
        Some(Kind::DirLeaf) if options.scramble => names(&mut block.bytes_mut()[HEADER_LEN..]),
        Some(Kind::XattrValue) if options.scramble => value(block),
        // The superblock's secret is the cluster's, and nobody else's.
        Some(Kind::Super) => secret(block),
        _ => false,
    };
    if is_changed && was_sound {
        seal(block.bytes_mut());
    }
}

fn secret(block: &mut Block) -> bool {
    crate::format::SuperCore::of_mut(block).cluster_key.fill(0);
    true
}

fn inode(block: &mut Block, options: ImageOptions) -> bool {
    let core = *InodeCore::of(block);
    let body = BODY_AT..BODY_AT + core.body_len();
    let is_link = core.file_type() == MODE_LINK;
    if core.form == FORM_INLINE && is_link && options.scramble {
        block.bytes_mut()[body.clone()]
            .iter_mut()
            .filter(|byte| **byte != 0)
            .for_each(|byte| *byte = b'x');
    } else if core.form == FORM_INLINE && !is_link {
        block.bytes_mut()[body.clone()].fill(0);
    } else if core.form == FORM_INLINE_DIR && options.scramble {
        names(&mut block.bytes_mut()[body.clone()]);
    }
    if options.scramble {
        xattr_values(&mut block.bytes_mut()[body.end..]);
    }
    core.form == FORM_INLINE || options.scramble
}

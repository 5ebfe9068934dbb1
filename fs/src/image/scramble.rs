//! Names that say nothing: letters become other letters, lengths and order stay. A name is no longer
//! found under its hash in the copy; a listing and a check work.

use zerocopy::FromBytes;

use crate::dir::Page;
use crate::format::{
    ENTRY_HEAD_LEN, LEAF_HEAD_LEN, XATTR_HEAD_LEN, XATTR_VALUE_AT, XattrHead, xattr_inline_len,
};
use crate::store::Block;

/// Scrambles the names of a run; what cannot be read is zero afterwards.
pub(super) fn names(area: &mut [u8]) -> bool {
    let mut found = Vec::new();
    if let Ok(page) = Page::of(area) {
        for name in page.names().map_while(Result::ok) {
            let at = LEAF_HEAD_LEN + name.at + ENTRY_HEAD_LEN;
            found.push((at, name.name.len(), name.cookie()));
        }
    }
    for (at, len, cookie) in found {
        scramble(&mut area[at..at + len], cookie);
    }
    true
}

/// The first letters are the cookie's, so that names stay apart.
fn scramble(name: &mut [u8], cookie: u64) {
    let mut rest = cookie;
    for byte in name {
        *byte = b'a' + (rest % 26) as u8;
        rest = if rest < 26 { cookie ^ 0x5bd1 } else { rest / 26 };
    }
}

/// Zeroes the values of inline attributes.
pub(super) fn xattr_values(tail: &mut [u8]) {
    let mut at = 0;
    while let Some(rest) = tail.get(at..) {
        let Ok((head, _)) = XattrHead::ref_from_prefix(rest) else {
            return;
        };
        let (name, value) = (usize::from(head.name_len), usize::from(head.value_len.get()));
        let first = at + XATTR_HEAD_LEN + name;
        let Some(bytes) = tail.get_mut(first..first + value) else {
            return;
        };
        bytes.fill(0);
        at += xattr_inline_len(name, value);
    }
}

/// Zeroes what a value block holds: the first one of a chain does not say where its name ends.
pub(super) fn value(block: &mut Block) -> bool {
    block.bytes_mut()[XATTR_VALUE_AT..].fill(0);
    true
}

//! Superblocks: what is judged sound is written as it was read, and its places are inside.

use super::UUID;
use crate::format::{Header, SLOTS, SUPER_AT, SUPER_WANT, Superblock, seal};
use crate::store::Block;

/// The bytes after the header of a superblock.
///
/// # Panics
/// Where a property does not hold.
pub fn fs_superblock(data: &[u8]) {
    let mut block = Block::zeroed();
    let len = data.len().min(block.bytes().len() - 64);
    block.bytes_mut()[64..64 + len].copy_from_slice(&data[..len]);
    block.set_header(&Header::new(&UUID, SUPER_AT, SUPER_WANT, 3));
    seal(block.bytes_mut());
    let Ok(superblock) = Superblock::parse(&block, SUPER_AT) else { return };
    let again = superblock.to_block(SUPER_AT);
    if superblock.compat == 0 && superblock.ro_compat == 0 {
        assert_eq!(again.bytes(), block.bytes(), "it is written as it was read");
    }
    assert_eq!(Superblock::parse(&again, SUPER_AT).as_ref(), Ok(&superblock));
    let geometry = superblock.geometry;
    let journals = (0..SLOTS).map_while(|slot| geometry.journal_at(slot));
    assert!(journals.into_iter().all(|run| geometry.is_inside_group(run)));
    let last = geometry.groups() - 1;
    for group in [0, last / 2, last] {
        let reserved = geometry.reserved(group);
        assert!(reserved.iter().all(|run| geometry.is_inside_group(*run)));
    }
    assert!(geometry.allocatable() < geometry.blocks);
    superblock.access();
}

//! What a device carries already: contents that a new volume would destroy.
//!
//! Only what has a magic number at a fixed place is known; a device that seems empty may not be.

use crate::format::{BLOCK_LEN, SUPER_AT, SuperError, Superblock};
use crate::store::Block;

/// Bytes from the start of the device that [`recognise`] looks at.
pub const HEAD_LEN: usize = 128 << 10;

/// A magic number: what it stands for, where it lies, its bytes.
type Magic = (&'static str, usize, &'static [u8]);

/// In the order of what to name first: a container before what may be left of older contents.
const MAGICS: &[Magic] = &[
    ("a LUKS volume", 0, b"LUKS\xba\xbe"),
    ("an LVM physical volume", 0, b"LABELONE"),
    ("an LVM physical volume", 512, b"LABELONE"),
    ("an LVM physical volume", 1024, b"LABELONE"),
    ("an LVM physical volume", 1536, b"LABELONE"),
    ("a member of an MD array", 0, b"\xfc\x4e\x2b\xa9"),
    ("a member of an MD array", 4096, b"\xfc\x4e\x2b\xa9"),
    ("an XFS file system", 0, b"XFSB"),
    ("an ext2, ext3 or ext4 file system", 1080, b"\x53\xef"),
    ("a Btrfs file system", 65600, b"_BHRfS_M"),
    ("a GFS2 file system", 65536, b"\x01\x16\x19\x70\0\0\0\x01"),
    ("an OCFS2 file system", 1024, b"OCFSV2"),
    ("an OCFS2 file system", 2048, b"OCFSV2"),
    ("an OCFS2 file system", 4096, b"OCFSV2"),
    ("an OCFS2 file system", 8192, b"OCFSV2"),
    ("an F2FS file system", 1024, b"\x10\x20\xf5\xf2"),
    ("an NTFS file system", 3, b"NTFS    "),
    ("a FAT file system", 82, b"FAT32   "),
    ("a FAT file system", 54, b"FAT16   "),
    ("an ISO 9660 file system", 32769, b"CD001"),
    ("swap space", 4086, b"SWAPSPACE2"),
    ("a qcow2 image", 0, b"QFI\xfb"),
    ("a VMDK image", 0, b"KDMV"),
    ("a GPT partition table", 512, b"EFI PART"),
    ("a GPT partition table", 4096, b"EFI PART"),
];

/// What the first [`HEAD_LEN`] bytes of a device, or fewer, show.
pub fn recognise(head: &[u8]) -> Option<String> {
    let found =
        |(_, at, magic): &&Magic| head.get(*at..).is_some_and(|rest| rest.starts_with(magic));
    own_in(head)
        .or_else(|| MAGICS.iter().find(found).map(|(name, ..)| (*name).to_owned()))
        .or_else(|| has_partitions(head).then(|| "a partition table".to_owned()))
}

/// A volume of ours, from its superblock.
fn own_in(head: &[u8]) -> Option<String> {
    own_at(head.get(SUPER_AT as usize * BLOCK_LEN..)?.first_chunk()?, SUPER_AT)
}

/// What a block at the place of a superblock, or of a copy, says about a volume of ours.
pub fn own_at(bytes: &[u8; BLOCK_LEN], bno: u64) -> Option<String> {
    match Superblock::parse(&Block::from_bytes(bytes), bno) {
        Ok(volume) if volume.label.is_empty() => Some("a Byway volume without a label".to_owned()),
        Ok(volume) => Some(format!("the Byway volume {:?}", volume.label)),
        Err(SuperError::Absent) => None,
        Err(SuperError::Damaged(_)) => Some("a damaged Byway volume".to_owned()),
        Err(SuperError::Level(_) | SuperError::Incompat(_)) => {
            Some("a Byway volume of a newer format".to_owned())
        }
    }
}

/// The sector of a PC's partition table, with a partition in it.
fn has_partitions(head: &[u8]) -> bool {
    let types = [450, 466, 482, 498].iter().filter_map(|at| head.get(*at));
    head.get(510..512) == Some(b"\x55\xaa") && types.into_iter().any(|kind| *kind != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_magic_is_found_at_its_place_and_zeroes_are_nothing() {
        assert_eq!(recognise(&vec![0; HEAD_LEN]), None);
        assert_eq!(recognise(&[]), None);
        for (name, at, magic) in MAGICS {
            let mut head = vec![0; HEAD_LEN];
            head[*at..at + magic.len()].copy_from_slice(magic);
            assert_eq!(recognise(&head).as_deref(), Some(*name));
            assert_eq!(recognise(&head[..at + magic.len() - 1]), None, "{name} is cut");
        }
    }

    #[test]
    fn a_partition_table_needs_a_partition() {
        let mut head = vec![0; HEAD_LEN];
        head[510..512].copy_from_slice(b"\x55\xaa");
        assert_eq!(recognise(&head), None);
        head[466] = 0x83;
        assert_eq!(recognise(&head).as_deref(), Some("a partition table"));
    }
}

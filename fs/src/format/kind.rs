//! What a block of metadata is, and which glock covers it.

/// The kind of a block, as its header names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Kind {
    /// The superblock or one of its copies.
    Super = 1,
    /// The view of the cluster: who is a member.
    View = 2,
    /// A node's sign of life.
    Heartbeat = 3,
    /// A node's mail.
    Mail = 4,
    /// A slot: journal, orphans, counts of one node.
    Slot = 5,
    /// Which groups are initialised.
    GroupMap = 6,
    /// The head of a journal.
    JournalHead = 7,
    /// What a commit holds.
    JournalDesc = 8,
    /// The end of a commit.
    JournalCommit = 9,
    /// The header of an allocation group.
    Group = 10,
    /// A part of a group's bitmap.
    Bitmap = 11,
    /// A dinode.
    Inode = 12,
    /// A node of a file's extent tree.
    ExtentNode = 13,
    /// A node of a directory's index.
    DirNode = 14,
    /// A node of a group's refcounts.
    RefcountNode = 15,
    /// A node of a group's pending frees.
    PendingNode = 16,
    /// A node of a slot's orphans.
    OrphanNode = 17,
    /// A node of a file's extended attributes.
    XattrNode = 18,
    /// Names of a directory.
    DirLeaf = 19,
    /// The value of an extended attribute.
    XattrValue = 20,
}

/// Every kind, in the order of their numbers.
pub const KINDS: [Kind; 20] = [
    Kind::Super,
    Kind::View,
    Kind::Heartbeat,
    Kind::Mail,
    Kind::Slot,
    Kind::GroupMap,
    Kind::JournalHead,
    Kind::JournalDesc,
    Kind::JournalCommit,
    Kind::Group,
    Kind::Bitmap,
    Kind::Inode,
    Kind::ExtentNode,
    Kind::DirNode,
    Kind::RefcountNode,
    Kind::PendingNode,
    Kind::OrphanNode,
    Kind::XattrNode,
    Kind::DirLeaf,
    Kind::XattrValue,
];

impl Kind {
    /// The number on disk.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The kind of a number on disk.
    pub fn from_code(code: u16) -> Option<Kind> {
        KINDS.get(usize::from(code).checked_sub(1)?).copied()
    }

    /// The word for messages.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Super => "superblock",
            Kind::View => "view",
            Kind::Heartbeat => "heartbeat",
            Kind::Mail => "mail slot",
            Kind::Slot => "slot",
            Kind::GroupMap => "group map",
            Kind::JournalHead => "journal head",
            Kind::JournalDesc => "journal descriptor",
            Kind::JournalCommit => "journal commit",
            Kind::Group => "group header",
            Kind::Bitmap => "bitmap",
            Kind::Inode => "dinode",
            Kind::ExtentNode => "extent node",
            Kind::DirNode => "directory node",
            Kind::RefcountNode => "refcount node",
            Kind::PendingNode => "pending-free node",
            Kind::OrphanNode => "orphan node",
            Kind::XattrNode => "xattr node",
            Kind::DirLeaf => "directory leaf",
            Kind::XattrValue => "xattr value",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_kinds_name_each_other() {
        KINDS.iter().for_each(|kind| assert_eq!(Kind::from_code(kind.code()), Some(*kind)));
        assert_eq!(Kind::from_code(0), None);
        assert_eq!(Kind::from_code(21), None);
    }
}

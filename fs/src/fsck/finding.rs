//! What a check can find: one code for each way in which a volume can be wrong.

use serde::Serialize;

/// The kinds of findings. The names are those of the JSON report and of `byway fs wreck`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The superblock cannot be used; a copy of it can.
    Superblock,
    /// A copy of the superblock is damaged or differs.
    BackupSuperblock,
    /// Both heads of a journal are damaged.
    JournalHead,
    /// The block of a slot is damaged.
    Slot,
    /// The counts of the slots do not add up to what is in use.
    SlotCounts,
    /// A node's sign of life is damaged.
    Heartbeat,
    /// A block of the map of groups is damaged.
    GroupMap,
    /// A group is in use and not marked as initialised.
    GroupMapBit,
    /// The header of a group is damaged.
    Group,
    /// A group's count of free blocks is wrong.
    GroupFree,
    /// A part of a bitmap is damaged.
    Bitmap,
    /// Blocks are in use and free in the bitmap.
    BlocksLost,
    /// Blocks are set in the bitmap and nobody's.
    BlocksLeaked,
    /// The refcounts of a group cannot be read.
    RefcountTree,
    /// A refcount differs from the number of users.
    Refcount,
    /// The pending frees of a group cannot be read.
    PendingTree,
    /// A pending free names blocks that are in use, or free.
    PendingUsed,
    /// The orphans of a slot cannot be read.
    OrphanTree,
    /// An orphan is no inode that could be one.
    OrphanEntry,
    /// The root directory cannot be used.
    Root,
    /// A dinode cannot be read.
    Inode,
    /// A field of a dinode has a value that it cannot have.
    InodeField,
    /// A dinode's count of blocks is wrong.
    InodeBlocks,
    /// A dinode's count of links is wrong.
    LinkCount,
    /// A directory does not name the one that it is in.
    Parent,
    /// A directory's count of names is wrong.
    EntryCount,
    /// A node of an extent tree cannot be read.
    ExtentNode,
    /// An extent lies where none can lie, or over another one of its file.
    ExtentRecord,
    /// Several files use a block that is not shared between them.
    DoubleClaim,
    /// A node of a directory's index cannot be read.
    DirNode,
    /// A leaf of a directory cannot be read.
    DirLeaf,
    /// A name leads to no inode, to another one, or to a directory that has a name already.
    DirEntry,
    /// An inode has no name and is no orphan.
    Unreachable,
    /// Extended attributes cannot be read.
    Xattr,
}

/// Every code, in order.
pub const CODES: [Code; 34] = [
    Code::Superblock,
    Code::BackupSuperblock,
    Code::JournalHead,
    Code::Slot,
    Code::SlotCounts,
    Code::Heartbeat,
    Code::GroupMap,
    Code::GroupMapBit,
    Code::Group,
    Code::GroupFree,
    Code::Bitmap,
    Code::BlocksLost,
    Code::BlocksLeaked,
    Code::RefcountTree,
    Code::Refcount,
    Code::PendingTree,
    Code::PendingUsed,
    Code::OrphanTree,
    Code::OrphanEntry,
    Code::Root,
    Code::Inode,
    Code::InodeField,
    Code::InodeBlocks,
    Code::LinkCount,
    Code::Parent,
    Code::EntryCount,
    Code::ExtentNode,
    Code::ExtentRecord,
    Code::DoubleClaim,
    Code::DirNode,
    Code::DirLeaf,
    Code::DirEntry,
    Code::Unreachable,
    Code::Xattr,
];

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub code: Code,
    /// The inode, group or slot it is about, where there is one.
    pub subject: Option<u64>,
    /// In words: what is wrong, and what a repair does or did.
    pub text: String,
}

/// What became of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was found, in the order it was found; at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many there were beyond those.
    pub more: u64,
    /// All of them are repaired.
    pub repaired: bool,
    /// Commits that the journals held and that were not in place: a crash, and no damage.
    pub replayed: u64,
    /// Inodes that were looked at.
    pub inodes: u64,
    /// Names that were looked at.
    pub names: u64,
    /// Blocks in use.
    pub blocks: u64,
}

/// The most findings that are told one by one.
pub const FINDINGS_MAX: usize = 1000;

impl Report {
    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Notes a finding.
    pub fn note(&mut self, code: Code, subject: impl Into<Option<u64>>, text: impl Into<String>) {
        if self.findings.len() == FINDINGS_MAX {
            self.more += 1;
            return;
        }
        self.findings.push(Finding { code, subject: subject.into(), text: text.into() });
    }

    /// True where a finding has this code.
    pub fn has(&self, code: Code) -> bool {
        self.findings.iter().any(|finding| finding.code == code)
    }

    /// The exit code of fsck(8): 0 clean, 1 repaired, 4 left as it is.
    pub fn exit_code(&self) -> u8 {
        match (self.is_clean(), self.repaired) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_keeps_a_bounded_number_of_findings() {
        let mut report = Report::default();
        assert_eq!(report.exit_code(), 0);
        (0..FINDINGS_MAX + 5).for_each(|_| report.note(Code::Inode, 7, "gone"));
        assert_eq!((report.findings.len(), report.more), (FINDINGS_MAX, 5));
        assert!(report.has(Code::Inode) && !report.has(Code::Slot));
        assert_eq!(report.exit_code(), 4);
        report.repaired = true;
        assert_eq!(report.exit_code(), 1);
    }

    #[test]
    fn names_are_words_with_dashes() {
        let json = serde_json::to_string(&Code::BlocksLeaked).unwrap();
        assert_eq!(json, "\"blocks-leaked\"");
    }
}

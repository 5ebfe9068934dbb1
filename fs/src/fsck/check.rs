//! One check: what it knows of the volume, and what it has found.

use std::collections::BTreeMap;

use super::Claims;
use super::finding::{Code, Report};
use super::reader::Reader;
use super::work::Work;
use crate::format::{Geometry, Superblock};
use crate::store::{Block, Damage, Run, Want};
use crate::tree::Record;

/// What is known of an inode in use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// The links that its dinode tells.
    pub(crate) nlink: u32,
    /// Names that lead to it; for a directory, itself and its subdirectories too.
    pub(crate) found: u32,
    /// The directory that its dinode tells.
    pub(crate) parent: u64,
    /// The directory that a name in was found.
    pub(crate) found_in: u64,
    /// It is a directory.
    pub(crate) is_directory: bool,
    /// It is an orphan: nobody's name, and in order.
    pub(crate) is_orphan: bool,
}

/// What one group's trees tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupFacts {
    /// The header and the whole bitmap can be used.
    pub(crate) is_sound: bool,
    /// Free blocks by its header.
    pub(crate) free: u32,
    /// Runs with their numbers of users.
    pub(crate) refcounts: Vec<Record>,
    /// The refcounts could be read.
    pub(crate) refcounts_sound: bool,
    /// The pending frees could be read.
    pub(crate) pending_sound: bool,
    /// Runs of metadata that wait to be used for data.
    pub(crate) pending: Vec<Record>,
}

/// One pass over a volume.
pub(crate) struct Check {
    /// Its blocks.
    pub(crate) reader: Reader,
    /// Its superblock.
    pub(crate) superblock: Superblock,
    /// What was found in all passes.
    pub(crate) report: Report,
    /// Findings of this pass.
    pub(crate) found: u64,
    /// Mend what is found.
    pub(crate) repair: bool,
    /// Who uses which blocks.
    pub(crate) claims: Claims,
    /// Blocks that are metadata, so that no file's data may lie there.
    pub(crate) metadata: Claims,
    /// A block was claimed twice.
    pub(crate) is_shared: bool,
    /// Inodes in use.
    pub(crate) inodes: BTreeMap<u64, Seen>,
    /// Groups that are initialised.
    pub(crate) groups: BTreeMap<u32, GroupFacts>,
    /// Blocks that are pending.
    pub(crate) pending_blocks: u64,
    /// The greatest version that was seen.
    pub(crate) version_max: u64,
    /// What is to be done at the end of the pass.
    pub(crate) work: Vec<Work>,
}

impl Check {
    /// A check that has seen nothing but the superblock.
    pub(crate) fn new(reader: Reader, superblock: Superblock, repair: bool) -> Check {
        let claims = Claims::new(superblock.geometry);
        Check {
            metadata: Claims::new(superblock.geometry),
            reader,
            superblock,
            report: Report::default(),
            found: 0,
            repair,
            claims,
            is_shared: false,
            inodes: BTreeMap::new(),
            groups: BTreeMap::new(),
            pending_blocks: 0,
            version_max: 0,
            work: Vec::new(),
        }
    }

    /// Forgets what the pass saw, for the next one over what was mended.
    pub(crate) fn start_over(&mut self) {
        self.claims = Claims::new(self.superblock.geometry);
        self.metadata = Claims::new(self.superblock.geometry);
        self.is_shared = false;
        self.inodes.clear();
        self.groups.clear();
        self.work.clear();
        self.pending_blocks = 0;
        self.found = 0;
    }

    /// Where things lie.
    pub(crate) fn geometry(&self) -> Geometry {
        self.superblock.geometry
    }

    /// Notes a finding.
    pub(crate) fn note(
        &mut self,
        code: Code,
        subject: impl Into<Option<u64>>,
        text: impl Into<String>,
    ) {
        self.found += 1;
        self.report.note(code, subject, text);
    }

    /// Notes a damaged block under a code.
    pub(crate) fn note_damage(&mut self, code: Code, damage: Damage, remedy: &str) {
        let Damage { bno, want, fault } = damage;
        let what =
            format!("block {bno} ({} of {}) {fault}; {remedy}", want.kind.name(), want.owner);
        self.note(code, want.owner, what);
    }

    /// Claims a block of metadata. False where somebody has claimed it before.
    pub(crate) fn claim_block(&mut self, bno: u64) -> bool {
        let run = Run { start: bno, len: 1 };
        if !self.geometry().is_inside_group(run) {
            return false;
        }
        self.metadata.add(run);
        !self.claims.add(run)
    }

    /// Changes a block in the overlay: it is what `change` makes of it.
    pub(crate) async fn mend(
        &mut self,
        bno: u64,
        want: Want,
        change: impl FnOnce(&mut Block),
    ) -> Result<(), super::reader::Gone> {
        if !self.repair {
            return Ok(());
        }
        if let Ok(block) = self.reader.get(bno, want).await? {
            let mut block = Block::clone(&block);
            change(&mut block);
            self.put(bno, block);
        }
        Ok(())
    }

    /// Replaces a block in the overlay, sealed, where this is a repair.
    pub(crate) fn put(&mut self, bno: u64, mut block: Block) {
        if self.repair {
            crate::format::seal(block.bytes_mut());
            self.reader.put(bno, block);
        }
    }

    /// Replaces a block that has no header, where this is a repair.
    pub(crate) fn put_raw(&mut self, bno: u64, block: Block) {
        if self.repair {
            self.reader.put(bno, block);
        }
    }

    /// A new block with a header and zeroes.
    pub(crate) fn blank(&self, bno: u64, want: Want) -> Block {
        let mut block = Block::zeroed();
        let version = self.version_max;
        block.set_header(&crate::format::Header::new(self.reader.uuid(), bno, want, version));
        block
    }
}

//! A new volume as blocks: pure, and in the order in which they are written.
//!
//! Invariants: nothing of an older volume is left that could pass for a part of this one, since all
//! blocks carry a fresh uuid; groups that hold neither journal nor root are not touched at all.

use crate::format::{
    BITS_PER_BLOCK, BODY_LEN, Bits, FORM_INLINE_DIR, GROUP_MAP_AT, GROUP_MAP_BLOCKS, Geometry,
    GroupCore, Header, InodeCore, Kind, MODE_DIRECTORY, SLOTS, STATIC_BLOCKS, SUPER_AT, SlotCore,
    Superblock, Timestamp, bits_in, count_bits, initialise_bitmap, initialise_group, seal,
};
use crate::journal::{Head, JournalPlace};
use crate::store::{Block, Run, Time, Want};

/// The version of everything in a new volume.
pub const FIRST_VERSION: u64 = 1;
/// Permissions of the root directory.
const ROOT_MODE: u32 = MODE_DIRECTORY | 0o755;
/// Blocks of the device's end that are zeroed: labels of older contents lie there.
const TAIL_BLOCKS: u64 = 16;

/// What random numbers and the maker decide.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The volume's uuid.
    pub uuid: [u8; 16],
    /// The key of the hash of names.
    pub dir_hash_key: [u8; 16],
    /// The secret of the cluster.
    pub cluster_key: [u8; 32],
    /// The generation of the root directory; not 0.
    pub root_generation: u32,
    /// The name of the volume: legal by [`crate::format::is_label`].
    pub label: String,
    /// Bytes of a sector of the device.
    pub sector_len: u32,
    /// Who owns the root directory: user and group.
    pub owner: (u32, u32),
    /// When the volume is made.
    pub created: Time,
}

/// A new volume.
pub struct Draft {
    superblock: Superblock,
    owner: (u32, u32),
    /// The groups that hold something from the start, in order.
    groups: Vec<u32>,
}

impl Draft {
    /// A volume of these numbers, which are legal.
    pub fn new(geometry: Geometry, identity: Identity) -> Draft {
        let root_ino = root_place(&geometry);
        let journals = (0..SLOTS).map_while(|slot| geometry.journal_at(slot));
        let mut groups: Vec<u32> = journals.map(|run| geometry.group_of(run.start)).collect();
        groups.push(geometry.group_of(root_ino));
        groups.sort_unstable();
        groups.dedup();
        let superblock = Superblock {
            uuid: identity.uuid,
            version: FIRST_VERSION,
            geometry,
            label: identity.label,
            sector_len: identity.sector_len,
            lun_verdict: 0,
            root_ino,
            root_generation: identity.root_generation,
            created: identity.created,
            dir_hash_key: identity.dir_hash_key,
            cluster_key: identity.cluster_key,
            compat: 0,
            ro_compat: 0,
            tuning: 0,
        };
        Draft { superblock, owner: identity.owner, groups }
    }

    /// The superblock.
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// Written first: what must be zero, and all places where an older superblock may lie. Labels
    /// of other contents lie in the first blocks and the last ones.
    pub fn zeroes(&self) -> impl Iterator<Item = Run> + use<> {
        let blocks = self.superblock.geometry.blocks;
        let copies = self.superblock.geometry.backups().map(|start| Run { start, len: 1 });
        let tail = Run { start: blocks - TAIL_BLOCKS, len: TAIL_BLOCKS };
        [Run { start: 0, len: STATIC_BLOCKS }, tail].into_iter().chain(copies)
    }

    /// Written second: all blocks of metadata but superblocks, sealed.
    pub fn blocks(&self) -> impl Iterator<Item = (u64, Block)> + '_ {
        let slots = (0..SLOTS).map(|slot| self.slot(slot));
        let map = (0..GROUP_MAP_BLOCKS).map(|index| self.group_map(index));
        let groups = self.groups.iter().flat_map(|group| self.group(*group));
        slots.chain(map).chain(groups)
    }

    /// Written third: the copies of the superblock.
    pub fn copies(&self) -> impl Iterator<Item = (u64, Block)> + '_ {
        self.superblock.geometry.backups().map(|at| (at, self.superblock.to_block(at)))
    }

    /// Written last: the superblock.
    pub fn primary(&self) -> (u64, Block) {
        (SUPER_AT, self.superblock.to_block(SUPER_AT))
    }

    /// Everything that is not zero, in memory: for tests of volumes that no device holds.
    pub fn everything(&self) -> impl Iterator<Item = (u64, Block)> + '_ {
        self.blocks().chain(self.copies()).chain([self.primary()])
    }

    fn geometry(&self) -> &Geometry {
        &self.superblock.geometry
    }

    fn block(&self, bno: u64, want: Want, fill: impl FnOnce(&mut Block)) -> (u64, Block) {
        let mut block = Block::zeroed();
        block.set_header(&Header::new(&self.superblock.uuid, bno, want, FIRST_VERSION));
        fill(&mut block);
        seal(block.bytes_mut());
        (bno, block)
    }

    fn slot(&self, slot: u16) -> (u64, Block) {
        let want = Want::new(Kind::Slot, slot.into());
        self.block(self.geometry().slot_block(slot), want, |block| {
            let core = SlotCore::of_mut(block);
            core.clock = FIRST_VERSION.into();
            if let Some(run) = self.geometry().journal_at(slot) {
                core.journal_start = run.start.into();
                core.journal_blocks = self.geometry().journal_blocks.into();
            }
            if slot == 0 {
                (core.blocks_used, core.inodes) = (1.into(), 1.into());
            }
        })
    }

    fn group_map(&self, index: u64) -> (u64, Block) {
        self.block(GROUP_MAP_AT + index, Want::new(Kind::GroupMap, 0), |block| {
            let here =
                self.groups.iter().filter(|group| u64::from(**group) / BITS_PER_BLOCK == index);
            for group in here {
                Bits::of_mut(block).set(group % BITS_PER_BLOCK as u32, 1);
            }
            count_bits(block, bits_in(self.geometry().groups().into(), index));
        })
    }

    /// Header and bitmap of a group, and what lies in it: the root directory, journal heads.
    fn group(&self, group: u32) -> impl Iterator<Item = (u64, Block)> + '_ {
        let geometry = self.geometry();
        let header = geometry.group_header(group);
        let want = Want::new(Kind::Group, group.into());
        let first = self.block(header, want, |block| {
            initialise_group(block, geometry, group);
            let core = GroupCore::of_mut(block);
            core.free = (core.free.get() - u32::from(self.is_root_in(group))).into();
        });
        let bitmap = (0..geometry.bitmap_blocks()).map(move |index| self.bitmap(group, index));
        let root = self.is_root_in(group).then(|| self.root());
        let slots = (0..SLOTS).map_while(|slot| Some((slot, geometry.journal_at(slot)?)));
        let here = slots.filter(move |(_, run)| geometry.group_of(run.start) == group);
        let heads = here.flat_map(|(slot, run)| self.journal_heads(slot, run));
        std::iter::once(first).chain(bitmap).chain(root).chain(heads)
    }

    /// Both copies of the head of a journal that was never used. Its ring stays as it is: what an
    /// older volume left there carries another uuid.
    fn journal_heads(&self, slot: u16, run: Run) -> [(u64, Block); 2] {
        let (uuid, blocks) = (self.superblock.uuid, self.geometry().journal_blocks);
        let place = JournalPlace { uuid, slot, start: run.start, blocks };
        [0, 1].map(|seq| {
            let head = Head { seq, clock: FIRST_VERSION, ..Head::new() };
            (run.start + seq, head.encode(&place))
        })
    }

    fn bitmap(&self, group: u32, index: u32) -> (u64, Block) {
        let geometry = self.geometry();
        let bno = geometry.group_header(group) + 1 + u64::from(index);
        let want = Want::new(Kind::Bitmap, group.into());
        self.block(bno, want, |block| {
            initialise_bitmap(block, geometry, group, index);
            if !self.is_root_in(group) {
                return;
            }
            let bit = self.superblock.root_ino - geometry.group_start(group);
            if bit / BITS_PER_BLOCK == u64::from(index) {
                Bits::of_mut(block).set((bit % BITS_PER_BLOCK) as u32, 1);
                count_bits(block, bits_in(geometry.group_len(group), index.into()));
            }
        })
    }

    fn is_root_in(&self, group: u32) -> bool {
        self.geometry().group_of(self.superblock.root_ino) == group
    }

    /// The root directory: empty, inline, its own parent.
    fn root(&self) -> (u64, Block) {
        let ino = self.superblock.root_ino;
        self.block(ino, Want::new(Kind::Inode, ino), |block| {
            let now = Timestamp::new(self.superblock.created);
            let core = InodeCore::of_mut(block);
            core.generation = self.superblock.root_generation.into();
            core.mode = ROOT_MODE.into();
            (core.uid, core.gid) = (self.owner.0.into(), self.owner.1.into());
            core.nlink = 2.into();
            core.blocks = 1.into();
            (core.atime, core.mtime, core.ctime, core.btime) = (now, now, now, now);
            core.parent = ino.into();
            core.form = FORM_INLINE_DIR;
        })
    }
}

/// The first block that nothing else has a right to.
fn root_place(geometry: &Geometry) -> u64 {
    let place = |group| {
        let end = geometry.group_start(group) + geometry.group_len(group);
        let first = geometry.reserved(group)[0];
        Some(first.start + first.len).filter(|at| *at < end)
    };
    (0..geometry.groups()).find_map(place).expect("a legal volume has room for files")
}

const _: () = assert!(BODY_LEN > 16, "the body of an empty directory is a head of zeroes");

#[cfg(test)]
mod tests;

//! A volume on an image, changed by operations without a mount.

use byway_fs::extents;
use byway_fs::format::{BLOCK_LEN, Superblock};
use byway_fs::inode::{Finish, InodeRef, finish_step};
use byway_fs::names::{self, New};
use byway_fs::space::{self, Goal};
use byway_fs::store::{Block, FsError, Memory, Op, Stop};
use byway_fs::xattr;

use super::image::Image;

/// An image and the store above it.
pub(crate) struct Volume {
    image: Image,
    memory: Memory,
    /// What the volume is.
    pub(crate) superblock: Superblock,
}

impl Volume {
    /// Opens the volume of an image, whose versions are below `clock`.
    pub(crate) fn open(image: Image, clock: u64) -> Volume {
        let block = block_of(&image, 16);
        let superblock = Superblock::parse(&block, 16).expect("a sound superblock");
        let mut memory = Memory::after(superblock.geometry, superblock.uuid, clock);
        memory.store().set_dir_hash_key(superblock.dir_hash_key);
        Volume { image, memory, superblock }
    }

    /// The root directory.
    pub(crate) fn root(&self) -> InodeRef {
        InodeRef { ino: self.superblock.root_ino, generation: self.superblock.root_generation }
    }

    /// Runs an operation.
    pub(crate) fn run<T>(
        &mut self,
        mut operation: impl FnMut(&mut Op<'_>) -> Result<T, Stop>,
    ) -> Result<T, FsError> {
        loop {
            match self.memory.run_once(&mut operation) {
                Ok(outcome) => return Ok(outcome),
                Err(Stop::Fail(error)) => return Err(error),
                Err(Stop::Miss { bno, want }) => {
                    let block = block_of(&self.image, bno);
                    self.memory.store().arrived(bno, want, block)?;
                }
                Err(other) => panic!("{other:?} on a volume of one's own"),
            }
        }
    }

    /// Puts everything in place.
    pub(crate) fn commit(&mut self) {
        self.memory.commit();
        for (bno, block) in self.memory.take_blocks() {
            self.image.write(bno * BLOCK_LEN as u64, block.bytes());
        }
    }

    /// The image, with everything in place.
    pub(crate) fn into_image(mut self) -> Image {
        self.commit();
        self.image.settle();
        self.image
    }

    /// Makes a file.
    pub(crate) fn file(&mut self, dir: InodeRef, name: &str) -> InodeRef {
        let new = New { mode: 0o644, ..New::default() };
        self.run(|op| names::create(op, dir, name.as_bytes(), new, true)).expect("room for it").at
    }

    /// Makes a directory.
    pub(crate) fn dir(&mut self, dir: InodeRef, name: &str) -> InodeRef {
        let new = New { mode: 0o755, ..New::default() };
        self.run(|op| names::mkdir(op, dir, name.as_bytes(), new)).expect("room for it")
    }

    /// Gives a file blocks of data, each in an extent of its own.
    pub(crate) fn scattered(&mut self, file: InodeRef, extents: u64) {
        for at in 0..extents {
            self.run(|op| {
                let goal = Goal { near: 0, len_min: 1, len_max: 1, align: 1 };
                let run = space::alloc_data(op, goal)?;
                extents::insert(op, file.ino, at * 2, run, 0)
            })
            .expect("room for it");
        }
    }

    /// Makes a clone of a file's extents in another file.
    pub(crate) fn clone_extents(&mut self, from: InodeRef, to: InodeRef) {
        let mut next = 0;
        loop {
            match self
                .run(|op| extents::share_step(op, from.ino, to.ino, next))
                .expect("room for it")
            {
                extents::Step::Done => return,
                extents::Step::More { next: more } => next = more,
            }
        }
    }

    /// Sets an extended attribute.
    pub(crate) fn set_xattr(&mut self, at: InodeRef, name: &str, value: &[u8]) {
        let flags = xattr::SetMode::Any;
        self.run(|op| xattr::set(op, at, name.as_bytes(), value, flags)).expect("room for it");
    }

    /// Removes a name, and all that it was the last name of.
    pub(crate) fn unlink(&mut self, dir: InodeRef, name: &str) {
        let removed = self.run(|op| names::unlink(op, dir, name.as_bytes())).expect("room for it");
        let slot = 0;
        if removed.orphan {
            let mut step = |op: &mut Op<'_>| finish_step(op, slot, removed.at);
            while self.run(&mut step).expect("room for it") == Finish::More {}
        }
    }
}

/// A block of an image.
pub(crate) fn block_of(image: &Image, bno: u64) -> Block {
    let mut block = Block::zeroed();
    image.read(bno * BLOCK_LEN as u64, block.bytes_mut());
    block
}

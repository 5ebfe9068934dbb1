//! A small volume in memory with a root directory, for stories.

use crate::format::{Geometry, MODE_DIRECTORY};
use crate::inode::{self, InodeRef, NewInode};
use crate::space;
use crate::store::{FsError, Memory, Op, Stop};

/// A volume, and its root directory.
pub(crate) struct Lab {
    pub(crate) memory: Memory,
    pub(crate) root: InodeRef,
}

impl Lab {
    pub(crate) fn new() -> Lab {
        let geometry =
            Geometry { blocks: 1 << 20, group_blocks: 1 << 16, journal_blocks: 256, journals: 1 };
        let mut memory = space::tests::volume(geometry);
        memory.store().set_dir_hash_key([3; 16]);
        memory.set_now(1_700_000_000_000_000_000);
        let new =
            NewInode { mode: MODE_DIRECTORY | 0o755, uid: 0, gid: 0, rdev: 0, parent: 0, nlink: 2 };
        let root = memory.run(|op| inode::create(op, new)).unwrap();
        memory.commit();
        Lab { memory, root }
    }

    /// Runs an operation.
    pub(crate) fn run<T>(
        &mut self,
        operation: impl FnMut(&mut Op<'_>) -> Result<T, Stop>,
    ) -> Result<T, FsError> {
        self.memory.run(operation)
    }
}

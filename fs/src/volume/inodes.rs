//! Inodes that are in use: they stay when their last name goes.

use super::Volume;

impl Volume {
    /// An inode is in use, once more: it stays when its last name goes.
    pub fn open_inode(&self, ino: u64) {
        self.shared.store.borrow_mut().open_inode(ino);
    }

    /// An inode is in use once less. True where nobody uses it any more: then it is time to look
    /// whether it is an orphan, see [`crate::inode::finish_step`].
    pub fn close_inode(&self, ino: u64) -> bool {
        self.shared.store.borrow_mut().close_inode(ino)
    }
}

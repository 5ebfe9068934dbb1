//! A directory of a mounted volume, for programs: paths below it, and what lies at them.
//!
//! Every call is one atomic operation, its path's walk included. Paths are bytes; one that begins
//! with a slash begins at the root. Invariant: an open directory stays an inode when its name goes,
//! and takes no new names then.

use super::Volume;
use crate::dir::{Listed, Listing};
use crate::inode::{self, Attributes, InodeRef, SetAttributes};
use crate::names::{self, Created, New, RenameMode, resolve, resolve_parent};
use crate::store::{FsError, Op, Stop};
use crate::xattr::{self, SetMode};

/// Names that one step of a listing reads.
const NAMES_PER_STEP: usize = 256;

/// An open directory. It lives on the home core of its volume, as the volume's handles do.
pub struct Directory {
    volume: Volume,
    at: InodeRef,
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.volume.close_inode(self.at.ino);
    }
}

impl Volume {
    /// Opens the root directory.
    pub fn open_root(&self) -> Directory {
        Directory::new(self, self.root())
    }
}

impl Directory {
    fn new(volume: &Volume, at: InodeRef) -> Directory {
        volume.open_inode(at.ino);
        Directory { volume: volume.clone(), at }
    }

    /// Which inode it is.
    pub fn at(&self) -> InodeRef {
        self.at
    }

    /// The volume.
    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Runs an operation on the directory and the name at the end of a path.
    async fn run_at<T>(
        &self,
        path: &[u8],
        mut operation: impl FnMut(&mut Op<'_>, InodeRef, &[u8]) -> Result<T, Stop>,
    ) -> Result<T, FsError> {
        let (root, from) = (self.volume.root(), self.at);
        let run = |op: &mut Op<'_>| {
            let (dir, name) = resolve_parent(op, root, from, path)?;
            operation(op, dir, name)
        };
        self.volume.run(run).await
    }

    /// Runs an operation on what lies at a path, where links lead to.
    async fn run_on<T>(
        &self,
        path: &[u8],
        mut operation: impl FnMut(&mut Op<'_>, InodeRef) -> Result<T, Stop>,
    ) -> Result<T, FsError> {
        let (root, from) = (self.volume.root(), self.at);
        let run = |op: &mut Op<'_>| {
            let at = resolve(op, root, from, path, true)?;
            operation(op, at)
        };
        self.volume.run(run).await
    }

    /// Opens a directory.
    pub async fn open(&self, path: &[u8]) -> Result<Directory, FsError> {
        let at = self.run_on(path, |op, at| match inode::read(op, at)?.is_directory() {
            true => Ok(at),
            false => Err(FsError::NotDirectory.into()),
        });
        // Nothing runs between the end of the operation and the opening.
        Ok(Directory::new(&self.volume, at.await?))
    }

    /// What lies at a path; `follow` says whether a link at its end is followed. An inode that is
    /// not kept open may be gone at the next operation.
    pub async fn lookup(&self, path: &[u8], follow: bool) -> Result<InodeRef, FsError> {
        let (root, from) = (self.volume.root(), self.at);
        self.volume.run(|op| resolve(op, root, from, path, follow)).await
    }

    /// The attributes of what lies at a path; `follow` as in [`Directory::lookup`].
    pub async fn attributes(&self, path: &[u8], follow: bool) -> Result<Attributes, FsError> {
        let (root, from) = (self.volume.root(), self.at);
        let run = |op: &mut Op<'_>| {
            let at = resolve(op, root, from, path, follow)?;
            inode::attributes(op, at)
        };
        self.volume.run(run).await
    }

    /// Changes attributes.
    pub async fn set_attributes(&self, path: &[u8], set: SetAttributes) -> Result<(), FsError> {
        self.run_on(path, |op, at| inode::set_attributes(op, at, set)).await
    }

    /// Makes a regular file, or finds what has the name: see [`names::create`].
    pub async fn create(&self, path: &[u8], new: New, exclusive: bool) -> Result<Created, FsError> {
        self.run_at(path, |op, dir, name| names::create(op, dir, name, new, exclusive)).await
    }

    /// Makes a directory.
    pub async fn mkdir(&self, path: &[u8], new: New) -> Result<InodeRef, FsError> {
        self.run_at(path, |op, dir, name| names::mkdir(op, dir, name, new)).await
    }

    /// Makes a pipe, a socket or a device: see [`names::mknod`].
    pub async fn mknod(&self, path: &[u8], new: New, rdev: u64) -> Result<InodeRef, FsError> {
        self.run_at(path, |op, dir, name| names::mknod(op, dir, name, new, rdev)).await
    }

    /// Makes a symbolic link that leads to `target`.
    pub async fn symlink(&self, path: &[u8], target: &[u8], new: New) -> Result<InodeRef, FsError> {
        self.run_at(path, |op, dir, name| names::symlink(op, dir, name, target, new)).await
    }

    /// The target of the symbolic link at a path.
    pub async fn readlink(&self, path: &[u8]) -> Result<Vec<u8>, FsError> {
        let read = |op: &mut Op<'_>, dir, name: &[u8]| {
            let entry = names::lookup(op, dir, name)?;
            names::readlink(op, entry.target)
        };
        self.run_at(path, read).await
    }

    /// Gives the file at `path` another name.
    pub async fn link(&self, path: &[u8], new_path: &[u8]) -> Result<(), FsError> {
        let (root, from) = (self.volume.root(), self.at);
        let link = |op: &mut Op<'_>, dir, name: &[u8]| {
            let target = resolve(op, root, from, path, false)?;
            names::link(op, target, dir, name)
        };
        self.run_at(new_path, link).await
    }

    /// Removes the name of anything but a directory. What nobody uses any more is freed, a large
    /// file's space in the background.
    pub async fn unlink(&self, path: &[u8]) -> Result<(), FsError> {
        let removed = self.run_at(path, names::unlink).await?;
        self.finish(removed.orphan);
        Ok(())
    }

    /// Removes an empty directory.
    pub async fn rmdir(&self, path: &[u8]) -> Result<(), FsError> {
        let removed = self.run_at(path, names::rmdir).await?;
        self.finish(removed.orphan);
        Ok(())
    }

    /// Renames what lies at `path`.
    pub async fn rename(
        &self,
        path: &[u8],
        new_path: &[u8],
        mode: RenameMode,
    ) -> Result<(), FsError> {
        let (root, from) = (self.volume.root(), self.at);
        let rename = |op: &mut Op<'_>, dir, name: &[u8]| {
            let (new_dir, new_name) = resolve_parent(op, root, from, new_path)?;
            names::rename(op, dir, name, new_dir, new_name, mode)
        };
        let renamed = self.run_at(path, rename).await?;
        self.finish(renamed.replaced.is_some_and(|removed| removed.orphan));
        Ok(())
    }

    fn finish(&self, orphan: bool) {
        if orphan {
            self.volume.finish_orphans();
        }
    }

    /// The first `limit` names after a cookie; 0 is before all.
    pub async fn list(&self, after: u64, limit: usize) -> Result<Listing, FsError> {
        let at = self.at;
        self.volume.run(|op| names::readdir(op, at, after, limit)).await
    }

    /// All names, a part at a time: a directory of any size streams.
    pub fn names(&self) -> Names<'_> {
        Names { dir: self, part: Listing::default(), next: 0, after: 0, ended: false }
    }

    /// The value of an extended attribute.
    pub async fn xattr(&self, path: &[u8], name: &[u8]) -> Result<Option<Vec<u8>>, FsError> {
        self.run_on(path, |op, at| xattr::get(op, at, name)).await
    }

    /// The names of all extended attributes.
    pub async fn xattrs(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, FsError> {
        self.run_on(path, |op, at| xattr::list(op, at)).await
    }

    /// Sets an extended attribute.
    pub async fn set_xattr(
        &self,
        path: &[u8],
        name: &[u8],
        value: &[u8],
        mode: SetMode,
    ) -> Result<(), FsError> {
        self.run_on(path, |op, at| xattr::set(op, at, name, value, mode)).await
    }

    /// Removes an extended attribute.
    pub async fn remove_xattr(&self, path: &[u8], name: &[u8]) -> Result<(), FsError> {
        self.run_on(path, |op, at| xattr::remove(op, at, name)).await
    }
}

/// The names of a directory, in the order of their cookies.
pub struct Names<'d> {
    dir: &'d Directory,
    part: Listing,
    next: usize,
    after: u64,
    ended: bool,
}

impl Names<'_> {
    /// The next name; None at the end. A name that is there all the while comes once.
    pub async fn next(&mut self) -> Result<Option<Listed<'_>>, FsError> {
        if self.next == self.part.len() && !self.ended {
            self.part = self.dir.list(self.after, NAMES_PER_STEP).await?;
            self.ended = self.part.len() < NAMES_PER_STEP;
            self.after = self.part.last_cookie().unwrap_or(self.after);
            self.next = 0;
        }
        self.next += 1;
        Ok(self.part.get(self.next - 1))
    }
}

//! Random work on names, with a model of what is there.

use std::collections::BTreeMap;

use byway_engine::sim::Rng;
use byway_fs::fsck::digest;
use byway_fs::inode::{self, Finish, InodeRef};
use byway_fs::names::{self, New, RenameMode};
use byway_fs::store::FsError;
use byway_fs::volume::Volume;
use byway_fs::xattr;

/// The most directories and names: few, so that they meet.
const DIRS_MAX: usize = 6;
const NAMES: u64 = 40;

/// What is there: directories, and the names in each.
#[derive(Clone, Default)]
pub(crate) struct Model {
    names: BTreeMap<(u64, Vec<u8>), (InodeRef, bool)>,
}

impl Model {
    /// The digest of the same names as fsck computes it.
    pub(crate) fn digest(&self) -> u64 {
        let add = |sum: u64, ((dir, name), (at, _)): (&(u64, Vec<u8>), &(InodeRef, bool))| {
            sum.wrapping_add(digest(*dir, name, at.ino, at.generation))
        };
        self.names.iter().fold(0, add)
    }

    fn dirs(&self) -> Vec<InodeRef> {
        self.names.values().filter(|(_, is_dir)| *is_dir).map(|(at, _)| *at).collect()
    }

    fn in_dir(&self, dir: u64) -> bool {
        self.names.keys().any(|(parent, _)| *parent == dir)
    }
}

/// One worker with its model.
pub(crate) struct Worker {
    volume: Volume,
    root: InodeRef,
    rng: Rng,
    /// What is there.
    pub(crate) model: Model,
}

impl Worker {
    /// On a volume without names.
    pub(crate) fn new(volume: Volume, rng: Rng) -> Worker {
        let root = volume.root();
        Worker { volume, root, rng, model: Model::default() }
    }

    fn some_dir(&mut self) -> InodeRef {
        let dirs = self.model.dirs();
        let at = self.rng.below(dirs.len() as u64 + 1) as usize;
        dirs.get(at).copied().unwrap_or(self.root)
    }

    fn some_name(&mut self) -> Vec<u8> {
        let long =
            if self.rng.below(4) == 0 { "-with-a-long-tail".repeat(10) } else { String::new() };
        format!("name-{}{long}", self.rng.below(NAMES)).into_bytes()
    }

    /// Does one thing; the model knows of it when it succeeded.
    pub(crate) async fn step(&mut self) -> Result<(), FsError> {
        let (dir, name) = (self.some_dir(), self.some_name());
        let done = match self.rng.below(12) {
            0..=4 => self.create(dir, name).await,
            5 if self.model.dirs().len() < DIRS_MAX => self.mkdir(dir, name).await,
            6 | 7 => self.unlink(dir, name).await,
            8 => self.rmdir(dir, name).await,
            9 => self.rename(dir, name).await,
            10 => self.link(dir, name).await,
            _ => self.xattr(dir, name).await,
        };
        match done {
            Err(FsError::Damaged(_) | FsError::Io(_) | FsError::ReadOnly) => done,
            // What cannot be done changes nothing, and neither does the model.
            _ => Ok(()),
        }
    }

    async fn create(&mut self, dir: InodeRef, name: Vec<u8>) -> Result<(), FsError> {
        let new = New { mode: 0o644, ..New::default() };
        let made = self.volume.run(|op| names::create(op, dir, &name, new, true)).await?;
        self.model.names.insert((dir.ino, name), (made.at, false));
        Ok(())
    }

    async fn mkdir(&mut self, dir: InodeRef, name: Vec<u8>) -> Result<(), FsError> {
        let new = New { mode: 0o755, ..New::default() };
        let made = self.volume.run(|op| names::mkdir(op, dir, &name, new)).await?;
        self.model.names.insert((dir.ino, name), (made, true));
        Ok(())
    }

    async fn unlink(&mut self, dir: InodeRef, name: Vec<u8>) -> Result<(), FsError> {
        let gone = self.volume.run(|op| names::unlink(op, dir, &name)).await?;
        self.model.names.remove(&(dir.ino, name));
        self.finish(gone.orphan, gone.at).await
    }

    async fn rmdir(&mut self, dir: InodeRef, name: Vec<u8>) -> Result<(), FsError> {
        let gone = self.volume.run(|op| names::rmdir(op, dir, &name)).await?;
        assert!(!self.model.in_dir(gone.at.ino), "only empty directories go");
        self.model.names.remove(&(dir.ino, name));
        self.finish(gone.orphan, gone.at).await
    }

    async fn finish(&mut self, orphan: bool, at: InodeRef) -> Result<(), FsError> {
        if !orphan {
            return Ok(());
        }
        let slot = self.volume.slot();
        while self.volume.run(|op| inode::finish_step(op, slot, at)).await? == Finish::More {}
        Ok(())
    }

    async fn rename(&mut self, dir: InodeRef, name: Vec<u8>) -> Result<(), FsError> {
        let (to_dir, to) = (self.some_dir(), self.some_name());
        let modes = [RenameMode::Replace, RenameMode::NoReplace, RenameMode::Exchange];
        let mode = self.rng.pick(&modes);
        let done = self.volume.run(|op| names::rename(op, dir, &name, to_dir, &to, mode)).await?;
        let (from, into) = ((dir.ino, name), (to_dir.ino, to));
        let source = self.model.names[&from];
        let target = self.model.names.get(&into).copied();
        // Two names of one inode: nothing happens.
        if target.is_some_and(|target| target.0 == source.0) {
            return Ok(());
        }
        match (mode, target) {
            (RenameMode::Exchange, Some(target)) => {
                self.model.names.insert(from, target);
            }
            _ => {
                self.model.names.remove(&from);
            }
        }
        self.model.names.insert(into, source);
        match done.replaced {
            Some(removed) => self.finish(removed.orphan, removed.at).await,
            None => Ok(()),
        }
    }

    async fn link(&mut self, dir: InodeRef, name: Vec<u8>) -> Result<(), FsError> {
        let files: Vec<InodeRef> =
            self.model.names.values().filter(|(_, is_dir)| !is_dir).map(|(at, _)| *at).collect();
        if files.is_empty() {
            return Ok(());
        }
        let target = self.rng.pick(&files);
        self.volume.run(|op| names::link(op, target, dir, &name)).await?;
        self.model.names.insert((dir.ino, name), (target, false));
        Ok(())
    }

    async fn xattr(&mut self, dir: InodeRef, name: Vec<u8>) -> Result<(), FsError> {
        let at = self.model.names.get(&(dir.ino, name)).map_or(self.root, |(at, _)| *at);
        let len = self.rng.pick(&[0, 10, 200, 900, 3000, 9000]);
        let value = vec![self.rng.below(256) as u8; len];
        let key = format!("user.{}", self.rng.below(4)).into_bytes();
        if len == 0 {
            return self.volume.run(|op| xattr::remove(op, at, &key)).await;
        }
        self.volume.run(|op| xattr::set(op, at, &key, &value, xattr::SetMode::Any)).await
    }
}

//! Clones: another file that shares everything.

use super::Home;
use crate::extents::{self, Step};
use crate::inode::{self, InodeRef};
use crate::store::{FsError, Op};

impl Home {
    /// Shares all extents with `to`, a file without a name and without data. Everything written
    /// before is in it; both copy what they write from here on.
    pub(super) async fn clone_to(&mut self, to: InodeRef) -> Result<(), FsError> {
        self.drain_all(0..u64::MAX).await;
        self.settle().await?;
        self.facts.change();
        let (from, size) = (self.at, self.facts.size());
        let inline = |op: &mut Op<'_>| {
            let source = inode::read(op, from)?;
            let Some(bytes) = inode::inline_bytes(&source).map(<[u8]>::to_vec) else {
                return Ok(false);
            };
            inode::inline_put(op, to, 0, &bytes)
        };
        if self.ground.run(inline).await? {
            return Ok(());
        }
        self.leave_dinode().await?;
        let mut at = 0;
        while let Step::More { next } =
            self.ground.run(|op| extents::share_step(op, from.ino, to.ino, at)).await?
        {
            at = next;
        }
        let set_size = |op: &mut Op<'_>| {
            inode::edit(op, to.ino)?.size = size.into();
            Ok(())
        };
        self.ground.run(set_size).await
    }
}

//! Making what was written last: a flush of the device, then the extents, then the journal.

use super::Home;
use crate::extents::{self, Step};
use crate::inode;
use crate::store::FsError;

impl Home {
    /// Everything that was written before is durable, and a mount after a crash finds it.
    pub(super) async fn settle(&mut self) -> Result<(), FsError> {
        self.hear();
        let changes = self.facts.changes();
        self.flush_data().await?;
        self.ground.commit().await?;
        self.facts.settle(changes);
        // What is fresh or granted by now is for the next flush.
        if !self.fresh.is_empty() || !self.granted.is_empty() {
            self.facts.change();
        }
        Ok(())
    }

    /// Everything that was written before is durable, and the next commit makes it to be found.
    pub(super) async fn flush_data(&mut self) -> Result<(), FsError> {
        self.hear();
        let flush = self.fresh.begin_flush();
        self.ground.flush_device().await?;
        self.convert(flush).await?;
        self.note_times().await
    }

    /// The extents of what a flush covered are written from here on.
    async fn convert(&mut self, flush: u64) -> Result<(), FsError> {
        let (ino, mut at) = (self.at.ino, 0);
        while let Some(run) = self.fresh.first_up_to(flush, at) {
            at = run.end;
            let mut from = run.start;
            while let Step::More { next } =
                self.ground.run(|op| extents::convert(op, ino, from, run.end - from)).await?
            {
                from = next;
            }
            self.fresh.remove(run);
        }
        Ok(())
    }

    /// The time of the last write, where there was one.
    async fn note_times(&mut self) -> Result<(), FsError> {
        let ino = self.at.ino;
        if self.facts.take_wrote() {
            self.ground.run(|op| inode::touch(op, ino)).await?;
        }
        Ok(())
    }
}

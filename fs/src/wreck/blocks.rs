//! Blocks that rot.

use super::WreckError;
use super::target::Target;
use crate::format::{GROUP_MAP_AT, HEARTBEATS_AT, InodeCore, Kind, SLOTS_AT, SUPER_AT};
use crate::fsck::Code;
use crate::store::Block;

pub(super) async fn wreck(t: &Target, code: Code) -> Result<String, WreckError> {
    match code {
        Code::JournalHead => return journal_head(t).await,
        Code::Heartbeat => return heartbeat(t).await,
        _ => {}
    }
    let bno = place_of(t, code).await?;
    t.flip(bno).await?;
    Ok(format!("a byte of block {bno} was flipped"))
}

async fn place_of(t: &Target, code: Code) -> Result<u64, WreckError> {
    let geometry = t.check.geometry();
    let backup = geometry.backups().next();
    Ok(match code {
        Code::Superblock => backup
            .map(|_| SUPER_AT)
            .ok_or(WreckError::Nothing("a copy of the superblock: 64 MiB or more"))?,
        Code::BackupSuperblock => {
            backup.ok_or(WreckError::Nothing("a copy of the superblock: 64 MiB or more"))?
        }
        Code::Slot => SLOTS_AT,
        Code::GroupMap => GROUP_MAP_AT,
        Code::Group => t.group().1,
        Code::Bitmap => t.group().1 + 1,
        Code::Root => t.check.superblock.root_ino,
        Code::DirLeaf => {
            let leaf = t.find(Kind::DirLeaf, |_, _| true).await?;
            leaf.ok_or(WreckError::Nothing("a directory of some hundred names"))?.0
        }
        _ => t.inode("a file", |core: &InodeCore| !core.is_directory()).await?.0,
    })
}

async fn journal_head(t: &Target) -> Result<String, WreckError> {
    let run = t
        .check
        .geometry()
        .journal_at(0)
        .ok_or(WreckError::Nothing("a journal that was made with the volume"))?;
    t.flip(run.start).await?;
    t.flip(run.start + 1).await?;
    Ok(format!("bytes of both heads of the journal at {} were flipped", run.start))
}

async fn heartbeat(t: &Target) -> Result<String, WreckError> {
    let mut block = Block::zeroed();
    block.bytes_mut().fill(0x55);
    t.write(HEARTBEATS_AT, &block).await?;
    Ok("the heartbeat of slot 0 was overwritten".into())
}

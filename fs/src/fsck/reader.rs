//! Blocks of a volume that is looked at: from the device, or from what replay and repair made of
//! them, which goes to the device only at the end.
//!
//! A block that is not what it must be is an answer; a device that does not answer ends the check.

use std::collections::BTreeMap;
use std::rc::Rc;

use byway_engine::api::Disk;
use byway_engine::block::Io;
use byway_engine::error::{ErrorKind, IoError};
use byway_engine::memory::LEASE_LEN_MAX;

use super::judge::judge;
use crate::format::BLOCK_LEN;
use crate::store::{Block, Damage, Fault, Run, Want};

/// Reads that are under way at once.
const READS_MAX: usize = 64;
/// Written blocks of the overlay that go to the device at once.
const WRITES_MAX: usize = 64;

/// Why a check ends before its end.
pub(crate) type Gone = Box<IoError>;

/// A block as it must be, or what is wrong with it.
pub(crate) type Look = Result<Rc<Block>, Damage>;

/// The blocks of a volume.
pub(crate) struct Reader {
    disk: Disk,
    uuid: [u8; 16],
    overlay: BTreeMap<u64, Rc<Block>>,
    /// Blocks of the device that lie in a row, and the first one's number.
    row: (u64, Vec<Rc<Block>>),
}

impl Reader {
    /// The blocks on a device. Its blocks carry `uuid`.
    pub(crate) fn new(disk: Disk, uuid: [u8; 16]) -> Reader {
        Reader { disk, uuid, overlay: BTreeMap::new(), row: (0, Vec::new()) }
    }

    /// The volume's uuid.
    pub(crate) fn uuid(&self) -> &[u8; 16] {
        &self.uuid
    }

    /// A block, judged.
    pub(crate) async fn get(&self, bno: u64, want: Want) -> Result<Look, Gone> {
        let read = self.raw(bno).await?;
        Ok(self.look(bno, want, read))
    }

    /// Several blocks, judged, in the order asked for.
    pub(crate) async fn get_many(&self, blocks: &[(u64, Want)]) -> Result<Vec<Look>, Gone> {
        let mut looks = Vec::with_capacity(blocks.len());
        for some in blocks.chunks(READS_MAX) {
            let started: Vec<_> = some.iter().map(|(bno, _)| self.start(*bno)).collect();
            for ((bno, want), start) in some.iter().zip(started) {
                let read = start.finish(*bno).await?;
                looks.push(self.look(*bno, *want, read));
            }
        }
        Ok(looks)
    }

    /// Reads blocks in a row with one request, for whoever asks for them one by one next. Where the
    /// medium cannot deliver all of them nothing is kept, and each is read when it is asked for.
    pub(crate) async fn ahead(&mut self, run: Run) -> Result<(), Gone> {
        self.row.1.clear();
        let most = self.disk.info().io_len_max.min(LEASE_LEN_MAX) as u64 / BLOCK_LEN as u64;
        let len = run.len.min(most);
        let Some(lease) = self.disk.core().lease((len * BLOCK_LEN as u64) as u32) else {
            return Ok(());
        };
        let (read, lease) = self.disk.read(run.start.saturating_mul(BLOCK_LEN as u64), lease).await;
        match read {
            Err(error) if is_no_block(&error) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                let (blocks, _) = lease.as_chunks::<BLOCK_LEN>();
                let blocks = blocks.iter().map(|bytes| Rc::new(Block::from_bytes(bytes)));
                self.row.0 = run.start;
                self.row.1.extend(blocks);
                Ok(())
            }
        }
    }

    /// A block, unjudged; None where the medium cannot deliver it.
    pub(crate) async fn raw(&self, bno: u64) -> Result<Option<Rc<Block>>, Gone> {
        self.start(bno).finish(bno).await
    }

    fn look(&self, bno: u64, want: Want, read: Option<Rc<Block>>) -> Look {
        let unread = Damage { bno, want, fault: Fault::Field("medium: it cannot be read") };
        let block = read.ok_or(unread)?;
        judge(&block, &self.uuid, bno, want).map(|()| block)
    }

    fn start(&self, bno: u64) -> Started {
        if let Some(block) = self.overlay.get(&bno) {
            return Started::Here(Rc::clone(block));
        }
        let at = bno.checked_sub(self.row.0).and_then(|at| usize::try_from(at).ok());
        if let Some(block) = at.and_then(|at| self.row.1.get(at)) {
            return Started::Here(Rc::clone(block));
        }
        let Some(lease) = self.disk.core().lease(BLOCK_LEN as u32) else {
            return Started::NoMemory;
        };
        let io = Io::read(bno.saturating_mul(BLOCK_LEN as u64), lease);
        Started::Sent(self.disk.submit(io))
    }

    /// A block is another one from here on. It is written as it is.
    pub(crate) fn put(&mut self, bno: u64, block: Block) {
        self.overlay.insert(bno, Rc::new(block));
    }

    /// Blocks that differ from the device.
    pub(crate) fn changes(&self) -> usize {
        self.overlay.len()
    }

    /// Writes what differs, and makes it durable; `last` goes after everything else.
    pub(crate) async fn write_back(&mut self, last: u64) -> Result<(), Gone> {
        self.row.1.clear();
        let mut blocks = std::mem::take(&mut self.overlay);
        let at_last = blocks.remove_entry(&last);
        let blocks: Vec<_> = blocks.into_iter().collect();
        for some in blocks.chunks(WRITES_MAX) {
            self.write(some).await?;
        }
        self.disk.flush().await?;
        if let Some(block) = at_last {
            self.write(&[block]).await?;
            self.disk.flush().await?;
        }
        Ok(())
    }

    async fn write(&self, blocks: &[(u64, Rc<Block>)]) -> Result<(), Gone> {
        let mut sent = Vec::with_capacity(blocks.len());
        for (bno, block) in blocks {
            let Some(mut lease) = self.disk.core().lease(BLOCK_LEN as u32) else {
                return Err(no_memory(*bno));
            };
            lease.copy_from_slice(block.bytes());
            sent.push(self.disk.submit(Io::write(bno * BLOCK_LEN as u64, lease)));
        }
        for write in sent {
            write.await.result?;
        }
        Ok(())
    }
}

/// A read on its way.
enum Started {
    Here(Rc<Block>),
    Sent(byway_engine::api::DiskRequest),
    NoMemory,
}

impl Started {
    async fn finish(self, bno: u64) -> Result<Option<Rc<Block>>, Gone> {
        let request = match self {
            Started::Here(block) => return Ok(Some(block)),
            Started::NoMemory => return Err(no_memory(bno)),
            Started::Sent(request) => request,
        };
        let completion = request.await;
        match completion.result {
            Ok(_) => {
                let mut block = Block::zeroed();
                completion.payload.copy_to(0, block.bytes_mut());
                Ok(Some(Rc::new(block)))
            }
            Err(error) if is_no_block(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Beyond the end of the device, or rotten: there is no such block.
fn is_no_block(error: &IoError) -> bool {
    matches!(error.kind, ErrorKind::Media | ErrorKind::Range)
}

fn no_memory(bno: u64) -> Gone {
    let (op, offset) = (byway_engine::block::Op::Read, bno.saturating_mul(BLOCK_LEN as u64));
    let why = "fsck: the core's arena is used up; give it more memory";
    Box::new(IoError::new(ErrorKind::Transient, op, offset, BLOCK_LEN as u64, why))
}

//! Writing a draft: neighbouring blocks leave in one request.

use byway_engine::api::Disk;
use byway_engine::memory::Lease;

use super::MkfsErrorKind;
use crate::format::BLOCK_LEN;
use crate::store::{Block, Run};

/// Bytes of the longest request.
const CHUNK_LEN: u32 = 128 << 10;

/// Gathers blocks and writes them.
pub(super) struct Writer {
    disk: Disk,
    /// None while a request has it, or after one that failed.
    lease: Option<Lease>,
    chunk_len: usize,
    /// The block that the gathered bytes begin at, and how many they are.
    start: u64,
    filled: usize,
    written: u64,
}

impl Writer {
    pub(super) fn new(disk: Disk) -> Result<Writer, MkfsErrorKind> {
        let lease = disk.core().lease(CHUNK_LEN).ok_or(MkfsErrorKind::Memory)?;
        let most = disk.info().io_len_max.min(CHUNK_LEN) as usize;
        let chunk_len = (most - most % BLOCK_LEN).max(BLOCK_LEN);
        Ok(Writer { disk, lease: Some(lease), chunk_len, start: 0, filled: 0, written: 0 })
    }

    /// Bytes that were written so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Reads `len` bytes.
    pub(super) async fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, MkfsErrorKind> {
        self.send().await?;
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let mut lease = self.take()?;
            lease.set_len((len - bytes.len()).min(self.chunk_len) as u32);
            let (result, lease) = self.disk.read(offset + bytes.len() as u64, lease).await;
            bytes.extend_from_slice(&lease);
            self.lease = Some(lease);
            result?;
        }
        Ok(bytes)
    }

    /// Writes zeroes over a run.
    pub(super) async fn zero(&mut self, run: Run) -> Result<(), MkfsErrorKind> {
        let zeroes = Block::zeroed();
        for bno in run.start..run.start + run.len {
            self.write(bno, &zeroes).await?;
        }
        Ok(())
    }

    /// Takes one block; it is written when the gathered bytes are, at the latest by a flush.
    pub(super) async fn write(&mut self, bno: u64, block: &Block) -> Result<(), MkfsErrorKind> {
        let next = self.start + (self.filled / BLOCK_LEN) as u64;
        if bno != next || self.filled == self.chunk_len {
            self.send().await?;
        }
        if self.filled == 0 {
            self.start = bno;
        }
        let lease = self.lease.as_mut().ok_or(MkfsErrorKind::Memory)?;
        lease.set_len(CHUNK_LEN);
        lease[self.filled..self.filled + BLOCK_LEN].copy_from_slice(block.bytes());
        self.filled += BLOCK_LEN;
        Ok(())
    }

    /// Everything that was taken is durable after it.
    pub(super) async fn flush(&mut self) -> Result<(), MkfsErrorKind> {
        self.send().await?;
        Ok(self.disk.flush().await?)
    }

    async fn send(&mut self) -> Result<(), MkfsErrorKind> {
        let filled = std::mem::take(&mut self.filled);
        if filled == 0 {
            return Ok(());
        }
        let mut lease = self.take()?;
        lease.set_len(filled as u32);
        let (result, lease) = self.disk.write(self.start * BLOCK_LEN as u64, lease).await;
        self.lease = Some(lease);
        self.written += filled as u64;
        Ok(result?)
    }

    fn take(&mut self) -> Result<Lease, MkfsErrorKind> {
        self.lease.take().ok_or(MkfsErrorKind::Memory)
    }
}

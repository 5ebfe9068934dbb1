//! Blocks of a volume as requests to its device.

use std::collections::VecDeque;
use std::rc::Rc;

use byway_engine::api::{Disk, DiskRequest};
use byway_engine::block::Io;
use byway_engine::core::Core;
use byway_engine::error::{IoError, SetupError};
use byway_engine::memory::{LEASE_LEN_MAX, Lease};

use crate::format::BLOCK_LEN;
use crate::store::Block;

/// Bytes of a block, for arithmetic with offsets.
pub(super) const LEN: u64 = BLOCK_LEN as u64;
/// How long to wait for memory that other requests give back, in nanoseconds.
const MEMORY_WAIT_NS: u64 = 100_000;

/// Memory for `blocks` blocks; waits until there is some.
pub(super) async fn lease(core: &Rc<Core>, blocks: usize) -> Lease {
    let len = (blocks * BLOCK_LEN) as u32;
    assert!(len <= LEASE_LEN_MAX, "one lease holds the request");
    loop {
        if let Some(lease) = core.lease(len) {
            return lease;
        }
        core.sleep(MEMORY_WAIT_NS).await;
    }
}

/// Reads `count` blocks from `bno` on, in requests that the device takes.
pub(super) async fn read_blocks(
    disk: &Disk,
    bno: u64,
    count: usize,
) -> Result<Vec<Block>, Box<IoError>> {
    let most = longest(disk);
    let mut blocks = Vec::with_capacity(count);
    while blocks.len() < count {
        let now = most.min(count - blocks.len());
        let lease = lease(disk.core(), now).await;
        let (read, lease) = disk.read((bno + blocks.len() as u64) * LEN, lease).await;
        read?;
        let (whole, _) = lease.as_chunks::<BLOCK_LEN>();
        blocks.extend(whole.iter().map(Block::from_bytes));
    }
    Ok(blocks)
}

/// Reads one block.
pub(super) async fn read_block(disk: &Disk, bno: u64) -> Result<Block, Box<IoError>> {
    let (read, lease) = disk.read(bno * LEN, lease(disk.core(), 1).await).await;
    read?;
    let (whole, _) = lease.as_chunks::<BLOCK_LEN>();
    Ok(Block::from_bytes(&whole[0]))
}

/// Writes one block, durably.
pub(super) async fn write_block(disk: &Disk, bno: u64, block: &Block) -> Result<(), Box<IoError>> {
    let mut lease = lease(disk.core(), 1).await;
    lease.copy_from_slice(block.bytes());
    disk.write_fua(bno * LEN, lease).await.0
}

/// The most blocks of one request.
pub(super) fn longest(disk: &Disk) -> usize {
    (disk.info().io_len_max.min(LEASE_LEN_MAX) as usize / BLOCK_LEN).max(1)
}

/// Writes that are under way together, with memory of their own.
pub(super) struct Pipe {
    disk: Disk,
    leases: Vec<Lease>,
    flying: VecDeque<DiskRequest>,
    /// Blocks of one request.
    blocks: usize,
    failed: Option<Box<IoError>>,
}

impl Pipe {
    /// Memory for `depth` requests of at most `blocks` blocks.
    pub(super) fn new(disk: &Disk, depth: usize, blocks: usize) -> Result<Pipe, SetupError> {
        let blocks = blocks.min(longest(disk));
        let leases = (0..depth).map(|_| disk.core().lease((blocks * BLOCK_LEN) as u32));
        let leases: Option<Vec<Lease>> = leases.collect();
        let leases = leases.ok_or_else(|| {
            let remedy = "give each core more memory for requests";
            SetupError::new("the journal", "no memory for its requests", remedy)
        })?;
        Ok(Pipe { disk: disk.clone(), leases, flying: VecDeque::new(), blocks, failed: None })
    }

    /// Blocks of one request.
    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// Memory for the next request; waits for the oldest one where all of it is under way.
    pub(super) async fn lease(&mut self, blocks: usize) -> Lease {
        if self.leases.is_empty() {
            self.land().await;
        }
        let mut lease = self.leases.pop().expect("a request that ended gave its memory back");
        lease.set_len((blocks * BLOCK_LEN) as u32);
        lease
    }

    /// Sends a write.
    pub(super) fn write(&mut self, bno: u64, lease: Lease, fua: bool) {
        let io = Io::write(bno * LEN, lease);
        let io = if fua { io.with_fua() } else { io };
        self.flying.push_back(self.disk.submit(io));
    }

    async fn land(&mut self) {
        let request = self.flying.pop_front().expect("all memory is under way");
        let completion = request.await;
        self.leases.extend(completion.payload.into_lease());
        if let Err(error) = completion.result {
            self.failed.get_or_insert(error);
        }
    }

    /// Waits for all of them; fails where one did since the last time.
    pub(super) async fn drain(&mut self) -> Result<(), Box<IoError>> {
        while !self.flying.is_empty() {
            self.land().await;
        }
        self.failed.take().map_or(Ok(()), Err)
    }
}

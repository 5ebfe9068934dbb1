//! The sign of life in this mount's slot, and the look at those of others before a mount.
//!
//! Invariant: a volume is mounted only where no heartbeat moved for longer than a node that lives
//! leaves it still.

use std::rc::Rc;

use byway_engine::api::Disk;
use byway_engine::block::BlockDevice;
use byway_engine::core::Core;
use byway_engine::error::IoError;

use super::blocks::{read_blocks, write_block};
use super::options::Refusal;
use super::shared::Shared;
use crate::format::{
    self, HEARTBEAT_ALIVE, HEARTBEAT_GONE, HEARTBEATS_AT, Header, HeartbeatCore, Kind, SLOTS,
};
use crate::store::{Block, FsError, Want};

/// From one beat to the next, in nanoseconds.
pub const HEARTBEAT_NS: u64 = 500_000_000;
/// How long a heartbeat that says that its node is alive is watched before a mount: two beats and
/// some delay.
pub const WATCH_NS: u64 = 1_200_000_000;
/// Looks at the heartbeats within that time.
const WATCH_LOOKS: u64 = 4;

/// One heartbeat that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beat {
    pub(super) slot: u16,
    pub(super) is_alive: bool,
    pub(super) seq: u64,
    pub(super) incarnation: u64,
    pub(super) host: String,
}

/// Reads every heartbeat; what is no sound heartbeat of this volume is none.
pub(super) async fn read_beats(disk: &Disk, uuid: &[u8; 16]) -> Result<Vec<Beat>, Box<IoError>> {
    let blocks = read_blocks(disk, HEARTBEATS_AT, usize::from(SLOTS)).await?;
    Ok((0..SLOTS).zip(&blocks).filter_map(|(slot, block)| beat(uuid, slot, block)).collect())
}

fn beat(uuid: &[u8; 16], slot: u16, block: &Block) -> Option<Beat> {
    let want = Want::new(Kind::Heartbeat, u64::from(slot));
    format::check(block.bytes(), uuid, HEARTBEATS_AT + u64::from(slot), want).ok()?;
    let core = HeartbeatCore::of(block);
    Some(Beat {
        slot,
        is_alive: core.state.get() != HEARTBEAT_GONE,
        seq: core.seq.get(),
        incarnation: core.incarnation.get(),
        host: core.host_name(),
    })
}

/// Refuses where somebody uses the volume `uuid` on a device: for tools that change a volume, or
/// look at it, without mounting it. Takes [`WATCH_NS`] where a heartbeat says that it is alive.
///
/// # Errors
/// [`Refusal::InUse`] where a heartbeat moves; else the device failed.
pub async fn unused(
    core: &Rc<Core>,
    device: &dyn BlockDevice,
    uuid: &[u8; 16],
) -> Result<(), Refusal> {
    let disk = Disk::open(core, device)?;
    let beats = read_beats(&disk, uuid).await?;
    watch(core, &disk, uuid, &beats).await
}

/// Watches those that say that they are alive; refuses where one moves.
pub(super) async fn watch(
    core: &Rc<Core>,
    disk: &Disk,
    uuid: &[u8; 16],
    before: &[Beat],
) -> Result<(), Refusal> {
    if !before.iter().any(|beat| beat.is_alive) {
        return Ok(());
    }
    for _ in 0..WATCH_LOOKS {
        core.sleep(WATCH_NS / WATCH_LOOKS).await;
        let after = read_beats(disk, uuid).await?;
        let moved = after.iter().find(|beat| beat.is_alive && !before.contains(beat));
        if let Some(beat) = moved {
            return Err(Refusal::InUse { slot: beat.slot, host: beat.host.clone() });
        }
    }
    Ok(())
}

/// Beats until the volume is unmounted, also after it was withdrawn: its node still lives.
pub(super) async fn heart(shared: Rc<Shared>) {
    while !shared.is_unmounted() {
        shared.read_wall_clock();
        if let Err(error) = shared.beat(HEARTBEAT_ALIVE).await {
            // Without a sign of life, another node may come to use the volume.
            shared.withdraw(FsError::Io(error));
            return;
        }
        shared.sleep(HEARTBEAT_NS).await;
    }
}

impl Shared {
    /// Writes the heartbeat of this mount.
    pub(super) async fn beat(&self, state: u32) -> Result<(), Box<IoError>> {
        self.bell.until(|| !self.is_beating.get()).await;
        self.is_beating.set(true);
        let written = self.write_beat(state).await;
        self.is_beating.set(false);
        self.bell.ring();
        written
    }

    async fn write_beat(&self, state: u32) -> Result<(), Box<IoError>> {
        let seq = self.beats.get() + 1;
        self.beats.set(seq);
        let (oldest, clock) = {
            let store = self.store.borrow();
            (store.watermark(), store.version() - 1)
        };
        let name = self.options.host.as_bytes();
        let mut host = [0; 64];
        let len = name.len().min(host.len());
        host[..len].copy_from_slice(&name[..len]);
        let block = beat_block(self, seq, |core| {
            core.state = state.into();
            core.oldest = oldest.into();
            core.clock = clock.into();
            core.host = host;
        });
        write_block(&self.disk, HEARTBEATS_AT + u64::from(self.slot), &block).await
    }
}

fn beat_block(shared: &Shared, seq: u64, fill: impl FnOnce(&mut HeartbeatCore)) -> Block {
    let uuid = shared.superblock.borrow().uuid;
    let want = Want::new(Kind::Heartbeat, u64::from(shared.slot));
    let mut block = Block::zeroed();
    block.set_header(&Header::new(&uuid, HEARTBEATS_AT + u64::from(shared.slot), want, seq));
    let core = HeartbeatCore::of_mut(&mut block);
    core.interval_ms = ((HEARTBEAT_NS / 1_000_000) as u32).into();
    core.seq = seq.into();
    core.incarnation = shared.incarnation.into();
    core.wall = u64::try_from(shared.now()).unwrap_or(0).into();
    fill(core);
    format::seal(block.bytes_mut());
    block
}

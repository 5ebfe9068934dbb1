//! The LUN as a block device.

use std::collections::BTreeSet;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use byway_engine::block::{BlockDevice, Capabilities, Channel, DeviceInfo, Io, Op};
use byway_engine::core::{Core, CoreConfig};
use byway_engine::net::{INBOX_LEN, Inbox, OUTBOX_COPY_MAX, Outbox};
use byway_engine::reactor::Reactor;
use byway_engine::{ErrorKind, SetupError};

use crate::channel::IscsiChannel;
use crate::config::{IscsiConfig, TASKS_MAX};
use crate::dispatch::{DEPTH_MAX, Dispatcher};
use crate::link::Sink;
use crate::login::{self, Purpose};
use crate::path;
use crate::status::PathStatus;
use crate::survey::{self, Survey};

/// Memory for logins and the initiator's own commands, in bytes: a chunk of the arena for each length.
const SMALL_LEN: usize = 8 << 20;
/// The longest read or write in bytes where the target names no limit.
const IO_LEN_MAX: u64 = 1 << 20;

/// A LUN that a target serves over TCP.
pub struct IscsiDevice {
    shared: Arc<Shared>,
}

/// What the channels of one device share. Nothing here is touched on the data path but two flags.
pub(crate) struct Shared {
    pub(crate) config: IscsiConfig,
    pub(crate) facts: Survey,
    pub(crate) size: AtomicU64,
    /// Something was written that no flush has made durable.
    pub(crate) dirty: AtomicBool,
    /// How often a target may have lost what its cache held.
    pub(crate) losses: AtomicU64,
    desk: Mutex<Desk>,
}

#[derive(Default)]
struct Desk {
    /// Numbers of channels that are open: they decide ISIDs, so the smallest free one is taken.
    channels: BTreeSet<u32>,
    paths: Vec<PathStatus>,
}

impl IscsiDevice {
    /// Logs in once, asks the LUN about itself, and leaves. The calling thread waits.
    ///
    /// # Errors
    /// Where no portal answers, the login is refused, or no disk is there.
    pub fn open(config: IscsiConfig) -> Result<IscsiDevice, SetupError> {
        let reactor = Reactor::new(&CoreConfig::default())?;
        reactor.run(|core| async move { IscsiDevice::open_on(&core, config).await })
    }

    /// As [`IscsiDevice::open`], in a task of a core.
    ///
    /// # Errors
    /// As [`IscsiDevice::open`].
    pub async fn open_on(core: &Rc<Core>, config: IscsiConfig) -> Result<IscsiDevice, SetupError> {
        check(&config)?;
        let mut trouble = None;
        for index in 0..config.portals.len() {
            match probe(core, &config, index).await {
                Ok(facts) => return Ok(IscsiDevice { shared: Shared::new(config, facts) }),
                Err(problem) => trouble = trouble.or(Some(problem)),
            }
        }
        let problem = trouble.unwrap_or_else(|| "it has no portal".into());
        Err(SetupError::new(&config.name, problem, "see byway iscsi discover"))
    }

    /// Where each path of each core stands.
    pub fn status(&self) -> Vec<PathStatus> {
        self.shared.desk().paths.clone()
    }

    /// Vendor and product, as the target calls them.
    pub fn identity(&self) -> (&str, &str) {
        (&self.shared.facts.vendor, &self.shared.facts.product)
    }
}

impl IscsiDevice {
    /// Every path must find its memory, now and whenever it logs in again.
    fn check_memory(&self, core: &Rc<Core>) -> Result<(), SetupError> {
        let paths = self.shared.config.portals.iter();
        let taken: Vec<_> = paths.map(|_| (Outbox::new(core), Inbox::new(core))).collect();
        if taken.iter().all(|(outbox, inbox)| outbox.is_some() && inbox.is_some()) {
            return Ok(());
        }
        let need = self.memory_len() >> 20;
        let problem = format!("a channel takes {need} MiB, more than the core's arena has left");
        Err(SetupError::new(&self.shared.config.name, problem, "enlarge the arena"))
    }
}

fn check(config: &IscsiConfig) -> Result<(), SetupError> {
    if config.depth == 0 || config.depth > TASKS_MAX {
        let problem = format!("a depth of {} is not served", config.depth);
        return Err(SetupError::new(&config.name, problem, format!("use 1 to {TASKS_MAX}")));
    }
    Ok(())
}

/// Nobody: the commands of a probe are its own.
pub(crate) struct Nobody;

impl Sink for Nobody {
    fn ended(
        &self,
        _: usize,
        request: crate::request::Request,
        _: byway_proto::iscsi::initiator::Outcome,
    ) {
        unreachable!("a probe submits no requests: {request:?}")
    }

    fn has_room(&self, _: usize) {}
}

/// Logs in at one portal and asks the LUN.
async fn probe(core: &Rc<Core>, config: &IscsiConfig, index: usize) -> Result<Survey, String> {
    let portal = &config.portals[index];
    let isid = config.isid_of(index as u32);
    let opened = login::open(core, config, portal, Purpose::Normal, isid).await;
    let opened = opened.map_err(|refusal| refusal.to_string())?;
    let sink: Weak<dyn Sink> = Weak::<Nobody>::new();
    let no_memory = || "the core's arena has no memory left".to_owned();
    let (running, _) = path::run(core, config, opened, index, sink).ok_or_else(no_memory)?;
    let facts = survey::survey(&running.link, config.lun).await?;
    running.link.leave().await;
    Ok(facts)
}

impl Shared {
    fn new(config: IscsiConfig, facts: Survey) -> Arc<Shared> {
        Arc::new(Shared {
            size: AtomicU64::new(facts.blocks * u64::from(facts.block_len)),
            config,
            facts,
            dirty: AtomicBool::new(false),
            losses: AtomicU64::new(0),
            desk: Mutex::default(),
        })
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is told of a path.
    pub(crate) fn note(&self, channel: u32, index: usize, change: impl FnOnce(&mut PathStatus)) {
        let portal = self.config.portals[index].to_string();
        let mut desk = self.desk();
        let is_it = |path: &PathStatus| path.channel == channel && path.portal == portal;
        let at = desk.paths.iter().position(is_it).unwrap_or_else(|| {
            desk.paths.push(PathStatus { channel, portal, ..PathStatus::default() });
            desk.paths.len() - 1
        });
        change(&mut desk.paths[at]);
    }

    /// The other portals that a login has shown to be of the same portal group.
    pub(crate) fn portals_beside(&self, index: usize) -> Vec<usize> {
        let desk = self.desk();
        let group = |n: usize| {
            let portal = self.config.portals[n].to_string();
            let path = desk.paths.iter().find(|path| path.portal == portal)?;
            path.params.as_ref()?.target_portal_group_tag
        };
        let own = group(index);
        let others = (0..self.config.portals.len()).filter(|n| *n != index);
        others.filter(|n| own.is_some() && group(*n) == own).collect()
    }

    fn take_number(&self) -> u32 {
        let mut desk = self.desk();
        let free = (0..).find(|n| !desk.channels.contains(n)).expect("not all numbers are taken");
        desk.channels.insert(free);
        free
    }

    pub(crate) fn give_back(&self, channel: u32) {
        let mut desk = self.desk();
        desk.channels.remove(&channel);
        desk.paths.retain(|path| path.channel != channel);
    }

    /// Something was written without being made durable. The flag is read first: it is set already
    /// nearly always.
    #[inline]
    pub(crate) fn mark_dirty(&self) {
        if !self.dirty.load(Ordering::Relaxed) {
            self.dirty.store(true, Ordering::Release);
        }
    }

    fn io_len_max(&self) -> u64 {
        let limit = u64::from(self.facts.limits.transfer_blocks_max);
        match limit * u64::from(self.facts.block_len) {
            0 => IO_LEN_MAX,
            limit => limit.min(IO_LEN_MAX),
        }
    }

    /// Why a request cannot be served at all, if so.
    #[inline]
    pub(crate) fn refusal(&self, io: &Io) -> Option<(ErrorKind, String)> {
        let size = self.size.load(Ordering::Acquire);
        let mask = u64::from(self.facts.block_len) - 1;
        let inside = io.offset.checked_add(io.len).is_some_and(|end| end <= size);
        let fits = (io.offset | io.len) & mask == 0 && inside;
        let carried = match io.op {
            Op::Read | Op::Write => io.len <= self.io_len_max() && io.payload.len() == io.len,
            Op::CompareAndWrite => {
                let max = u64::from(self.facts.limits.compare_blocks_max);
                io.len <= max * (mask + 1) && io.payload.len() == io.len * 2
            }
            _ => true,
        };
        let writes = io.op.changes_medium() && self.is_read_only();
        let is_fine = (fits || !io.op.has_range()) && carried && !writes && io.len > 0;
        if is_fine || (!io.op.has_range() && !writes) {
            None
        } else {
            Some(self.explain(io, inside))
        }
    }

    #[cold]
    fn explain(&self, io: &Io, inside: bool) -> (ErrorKind, String) {
        let name = &self.config.name;
        if io.op.changes_medium() && self.is_read_only() {
            return (ErrorKind::ReadOnly, format!("{name} is read-only"));
        }
        let words = if !inside {
            format!("{name} ends at byte {}", self.size.load(Ordering::Acquire))
        } else if io.op == Op::CompareAndWrite {
            let max = u32::from(self.facts.limits.compare_blocks_max) * self.facts.block_len;
            format!("{name}: compare-and-write takes up to {max} bytes and twice that in memory")
        } else {
            let (block, max) = (self.facts.block_len, self.io_len_max());
            format!("{name}: 1 to {max} bytes in blocks of {block}, with as much memory")
        };
        (ErrorKind::Range, words)
    }

    fn is_read_only(&self) -> bool {
        self.config.read_only || self.facts.is_protected
    }
}

impl BlockDevice for IscsiDevice {
    fn info(&self) -> DeviceInfo {
        let (shared, facts) = (&self.shared, &self.shared.facts);
        let best = facts.limits.transfer_blocks_best.saturating_mul(facts.block_len);
        DeviceInfo {
            name: shared.config.name.clone(),
            size: shared.size.load(Ordering::Acquire),
            block_len: facts.block_len,
            atomic_len: facts.block_len,
            optimal_len: best.clamp(4096.max(facts.block_len), 256 << 10),
            io_len_max: shared.io_len_max() as u32,
            depth_max: DEPTH_MAX,
            read_only: shared.is_read_only(),
            can: Capabilities {
                fua: facts.fua || !facts.has_cache,
                volatile_cache: facts.has_cache,
                discard: facts.unmaps,
                write_zeroes: true,
                compare_and_write: facts.limits.compare_blocks_max > 0,
                block_status: facts.tells_status,
                reservations: facts.reserves,
            },
        }
    }

    fn memory_len(&self) -> usize {
        let path = (2 * OUTBOX_COPY_MAX + INBOX_LEN) as usize;
        self.shared.config.portals.len() * path.next_power_of_two() + SMALL_LEN
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        self.check_memory(core)?;
        let channel = self.shared.take_number();
        let dispatcher = Dispatcher::new(core, &self.shared);
        Ok(Box::new(IscsiChannel::open(dispatcher, channel)))
    }
}

//! One logical unit as the node has it: the machine that decides, and the device's channel.
//!
//! Reads, writes and flushes go through the channel by number; everything rarer is a task of the
//! reactor with a [`Disk`]. Invariants: requests are gathered and leave once per turn; completions
//! first leave the channel and are acted upon after that.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};

use byway_engine::api::Disk;
use byway_engine::block::{
    Channel, Completion, Completions, DeviceEvent, DeviceInfo, Io, WaitSource,
};
use byway_engine::core::{Core, Polled};
use byway_engine::error::SetupError;
use byway_proto::iscsi::target::TaskId;
use byway_proto::scsi::unit::{Limits, LogicalUnit, UnitConfig};

use super::config::LunConfig;
use super::exclusion::{Exclusion, Range, Ticket};
use super::identity;
use super::node::Node;
use super::turns::Turns;
use crate::watch::Watch;

/// The largest piece that a task's memory is made of.
pub(crate) const CHUNK_MAX: u32 = 1 << 20;
/// Blocks of one COMPARE AND WRITE at most.
const COMPARE_BLOCKS_MAX: u8 = 255;
/// Bytes of a logical block: what every initiator understands, and what all of them may.
const BLOCK_LEN_MIN: u32 = 512;
const BLOCK_LEN_MAX: u32 = 4096;

/// One logical unit.
pub(crate) struct Unit {
    pub(crate) number: u16,
    pub(crate) index: u16,
    pub(crate) block_len: u32,
    /// Bytes of one request to the device at most.
    pub(crate) chunk_len: u32,
    pub(crate) info: DeviceInfo,
    pub(crate) machine: RefCell<LogicalUnit>,
    pub(crate) disk: Disk,
    /// Exclusive writes wait here.
    pub(crate) exclusive: Watch,
    /// Saving of reservations.
    pub(crate) saves: Turns,
    node: OnceCell<Weak<Node>>,
    channel: RefCell<Box<dyn Channel>>,
    /// What the channel had no room for.
    held: RefCell<VecDeque<Io>>,
    done: RefCell<Completions>,
    is_gathered: Cell<bool>,
    exclusion: RefCell<Exclusion>,
    /// Writes that an exclusive one holds back.
    waiting: RefCell<BTreeMap<Ticket, (u32, TaskId)>>,
    /// Tickets that may run since the list was last looked at.
    started: RefCell<Vec<Ticket>>,
}

impl Unit {
    /// Opens the device on this core.
    pub(crate) fn open(
        core: &Rc<Core>,
        index: u16,
        config: &LunConfig,
        unit: UnitConfig,
        saved: Option<&[u8]>,
    ) -> Result<Unit, SetupError> {
        let info = config.device.info();
        let mut machine = LogicalUnit::new(unit);
        if let Some(saved) = saved {
            machine.restore_reservations(saved).map_err(|error| {
                let thing = format!("saved reservations of logical unit {}", config.number);
                SetupError::new(thing, format!("{error:?}"), "remove the file to begin without")
            })?;
        }
        let block_len = machine.config().block_len;
        Ok(Unit {
            number: config.number,
            index,
            block_len,
            chunk_len: chunk_len(&info),
            machine: RefCell::new(machine),
            disk: Disk::open(core, &*config.device)?,
            exclusive: Watch::default(),
            saves: Turns::default(),
            node: OnceCell::new(),
            channel: RefCell::new(config.device.open_channel(core)?),
            held: RefCell::default(),
            done: RefCell::new(Vec::with_capacity(info.depth_max.min(4096) as usize)),
            is_gathered: Cell::new(false),
            exclusion: RefCell::default(),
            waiting: RefCell::default(),
            started: RefCell::default(),
            info,
        })
    }

    /// Completions go to this node from then on.
    pub(crate) fn connect(&self, node: &Rc<Node>) {
        let refused = self.node.set(Rc::downgrade(node)).is_err();
        assert!(!refused, "a unit has one node");
    }

    /// Hands a request to the device, or holds it until there is room.
    #[inline]
    pub(crate) fn submit(&self, io: Io) {
        self.is_gathered.set(true);
        let mut held = self.held.borrow_mut();
        if !held.is_empty() {
            held.push_back(io);
        } else if let Err(io) = self.channel.borrow_mut().submit(io) {
            held.push_back(io);
        }
    }

    #[cold]
    fn submit_held(&self) {
        let mut held = self.held.borrow_mut();
        while let Some(io) = held.pop_front() {
            if let Err(io) = self.channel.borrow_mut().submit(io) {
                held.push_front(io);
                return;
            }
            self.is_gathered.set(true);
        }
    }

    /// A write arrives; nothing where it has to wait and `task` is called later.
    #[inline]
    pub(crate) fn begin_write(&self, range: Range, task: (u32, TaskId)) -> (Ticket, bool) {
        let (ticket, is_active) = self.exclusion.borrow_mut().begin(range, false);
        if !is_active {
            self.waiting.borrow_mut().insert(ticket, task);
        }
        (ticket, is_active)
    }

    /// A write of a reactor's task: waits until it may run.
    pub(crate) async fn begin(&self, range: Range, is_exclusive: bool) -> Ticket {
        let (ticket, _) = self.exclusion.borrow_mut().begin(range, is_exclusive);
        let active = || self.exclusion.borrow().is_active(ticket).then_some(());
        self.exclusive.until(active).await;
        ticket
    }

    /// A write has ended. Who may run by that is started by [`Unit::start_waiting`].
    #[inline]
    pub(crate) fn end_write(&self, ticket: Ticket) {
        self.exclusion.borrow_mut().end(ticket, &mut self.started.borrow_mut());
    }

    /// Takes a held write out; false where it runs already.
    pub(crate) fn give_up(&self, ticket: Ticket) -> bool {
        let was_waiting = self.waiting.borrow_mut().remove(&ticket).is_some();
        if was_waiting {
            self.end_write(ticket);
        }
        was_waiting
    }

    /// Starts what may run. Not to be called from within a connection.
    pub(crate) fn start_waiting(&self, node: &Node) {
        while let Some(ticket) = self.next_started() {
            self.exclusive.changed();
            let Some((connection, task)) = self.waiting.borrow_mut().remove(&ticket) else {
                continue;
            };
            if let Some(connection) = node.connection(connection) {
                connection.start_held(task);
            }
        }
    }

    #[inline]
    fn next_started(&self) -> Option<Ticket> {
        self.started.borrow_mut().pop()
    }

    fn take_events(&self) {
        let event = self.channel.borrow_mut().take_event();
        if let Some(DeviceEvent::Resized { size }) = event {
            self.resize(size);
        }
    }

    /// The device has another size: every nexus is told (SBC-3 section 4.4).
    fn resize(&self, size: u64) {
        let blocks = size / u64::from(self.block_len);
        if blocks > 0 {
            self.machine.borrow_mut().resize(blocks);
        } else {
            tracing::warn!(unit = self.number, "the device shrank to nothing: its size is kept");
        }
    }

    fn settle(&self, node: &Rc<Node>, done: &mut Completions) {
        for completion in done.drain(..) {
            let Completion { tag, result, payload } = completion;
            let connection = node.connection((tag >> 32) as u32);
            let connection = connection.expect("a connection waits for its requests");
            let (slot, chunk) = ((tag >> 16 & 0xffff) as u16, (tag & 0xffff) as usize);
            connection.io_done(self, slot, chunk, result, payload);
        }
        self.start_waiting(node);
        node.advance_dirty();
    }
}

impl Polled for Unit {
    fn flush(&self) {
        if !self.held.borrow().is_empty() {
            self.submit_held();
        }
        if self.is_gathered.replace(false) {
            self.channel.borrow_mut().flush_submissions();
        }
    }

    fn poll(&self, _core: &Rc<Core>) -> usize {
        let mut done = std::mem::take(&mut *self.done.borrow_mut());
        if self.channel.borrow().in_flight() > 0 {
            self.channel.borrow_mut().poll(&mut done);
        }
        self.take_events();
        let count = done.len();
        if count > 0 {
            let node = self.node.get().and_then(Weak::upgrade);
            let node = node.expect("a node waits for its requests");
            self.settle(&node, &mut done);
        }
        *self.done.borrow_mut() = done;
        count
    }

    fn arm(&self) -> bool {
        self.wait_source() != Some(WaitSource::Poll)
    }

    fn wait_source(&self) -> Option<WaitSource> {
        let channel = self.channel.borrow();
        (channel.in_flight() > 0).then(|| channel.wait_source())
    }
}

/// The largest power of two that the device and a lease take.
fn chunk_len(info: &DeviceInfo) -> u32 {
    let most = info.io_len_max.clamp(info.block_len, CHUNK_MAX);
    1 << most.ilog2()
}

/// What the logical unit tells of itself.
pub(crate) fn describe(
    config: &LunConfig,
    target: &str,
    groups: &[u16],
    transfer_max: u32,
    keeps_reservations: bool,
) -> Result<UnitConfig, SetupError> {
    let info = config.device.info();
    let block_len = config.block_len.unwrap_or(info.block_len.max(BLOCK_LEN_MIN));
    if !block_len.is_power_of_two() || !(info.block_len..=BLOCK_LEN_MAX).contains(&block_len) {
        let remedy = format!("use a power of two from {} to {BLOCK_LEN_MAX}", info.block_len);
        return Err(SetupError::new(info.name, format!("blocks of {block_len} bytes"), remedy));
    }
    let blocks = info.size / u64::from(block_len);
    if blocks == 0 {
        return Err(SetupError::new(info.name, "holds no block", "serve a device with a size"));
    }
    let physical = (info.atomic_len / block_len).max(1);
    let limits = Limits {
        transfer_blocks_max: transfer_max / block_len,
        transfer_blocks_best: info.optimal_len / block_len,
        compare_blocks_max: COMPARE_BLOCKS_MAX,
        ..Limits::default()
    };
    Ok(UnitConfig {
        serial: config.serial.clone(),
        naa: identity::naa(target, &config.serial),
        target_name: target.to_owned(),
        block_len,
        blocks,
        physical_exponent: physical.ilog2() as u8,
        read_only: config.read_only || info.read_only,
        thin: info.can.discard && info.can.write_zeroes,
        write_cache: info.can.volatile_cache,
        keeps_reservations,
        limits,
        groups: identity::port_groups(groups),
        ..UnitConfig::default()
    })
}

//! One export as all of its connections see it: the device's channel, and the right to write.
//!
//! Invariants: requests are gathered and leave once per turn; completions first leave the channel and
//! are acted upon after that. A change waits until the right to write is there; the right is let go
//! only while no change is in flight and a flush has covered all of them.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use byway_engine::block::{
    Capabilities, Channel, Completion, Completions, DeviceInfo, Io, IoResult, WaitSource,
};
use byway_engine::core::{Core, Polled};
use byway_engine::error::SetupError;
use byway_engine::exec::Class;
use byway_proto::nbd::flags::TransmissionFlags;
use byway_proto::nbd::info::BlockSizes;
use byway_proto::nbd::limits::{BLOCK_LEN_MIN_MAX, BLOCK_LEN_PREFERRED};
use byway_proto::nbd::server::ExportInfo;

use super::config::ExportConfig;
use super::connection::Connection;
use super::node::Node;
use super::outgoing::payload_max;
use super::right::Refused;
use super::stats::ExportCounts;
use crate::watch::Watch;

/// The largest piece that a request's memory is made of, in bytes.
pub(crate) const CHUNK_MAX: u32 = 1 << 20;
/// A tag of the export's own requests: no connection has it.
const OWN: u64 = u64::MAX;
/// How often the holder of a right looks whether somebody asks for it, in nanoseconds.
const LOOK_NS: u64 = 10_000_000;
/// For how long nothing may have happened before the right goes to another server, in nanoseconds.
/// A guest that moves is stopped for good before it starts elsewhere; one that goes on to write
/// pauses between a flush and its next change, too, but not for that long.
const QUIET_NS: u64 = 100_000_000;

/// Whether this server may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Nothing was to be written yet, or it was let go.
    Absent,
    /// It was asked for: changes wait.
    Asked,
    Held,
}

/// One export.
pub(crate) struct Export {
    pub(crate) config: ExportConfig,
    pub(crate) can: Capabilities,
    /// Bytes of one request to the device at most.
    pub(crate) chunk_len: u32,
    pub(crate) counts: RefCell<ExportCounts>,
    pub(crate) right: Cell<Right>,
    /// It is served no more.
    pub(crate) is_removed: Cell<bool>,
    node: OnceCell<Weak<Node>>,
    channel: RefCell<Box<dyn Channel>>,
    /// What the channel had no room for.
    held: RefCell<VecDeque<Io>>,
    done: RefCell<Completions>,
    is_gathered: Cell<bool>,
    /// Changes that wait for the right, by connection and slot.
    waiting: RefCell<Vec<(u32, u16)>>,
    /// Changes at the device, those that ended, and those of them that are durable.
    changing: Cell<u32>,
    changes: Cell<u64>,
    durable: Cell<u64>,
    /// A flush of the export's own ended.
    flushed: Watch,
    own_flush: Cell<bool>,
    own_flush_ok: Cell<bool>,
}

impl Export {
    /// Opens the device on this core.
    pub(crate) fn open(core: &Rc<Core>, config: ExportConfig) -> Result<Export, SetupError> {
        let info = config.device.info();
        check(&info)?;
        let right = if config.right.is_free() { Right::Held } else { Right::Absent };
        Ok(Export {
            can: info.can,
            chunk_len: chunk_len(&info),
            counts: RefCell::default(),
            right: Cell::new(right),
            is_removed: Cell::new(false),
            node: OnceCell::new(),
            channel: RefCell::new(config.device.open_channel(core)?),
            held: RefCell::default(),
            done: RefCell::new(Vec::with_capacity(info.depth_max.min(4096) as usize)),
            is_gathered: Cell::new(false),
            waiting: RefCell::default(),
            changing: Cell::new(0),
            changes: Cell::new(0),
            durable: Cell::new(0),
            flushed: Watch::default(),
            own_flush: Cell::new(false),
            own_flush_ok: Cell::new(false),
            config,
        })
    }

    /// Completions go to this node from then on.
    pub(crate) fn connect(&self, node: &Rc<Node>) {
        let refused = self.node.set(Rc::downgrade(node)).is_err();
        assert!(!refused, "an export has one node");
    }

    /// The export, as a client that comes now is to see it.
    pub(crate) fn info(&self) -> ExportInfo {
        use TransmissionFlags as Flags;
        // A file that has grown says so when it is asked; others tell their new size themselves.
        if let Err(error) = self.config.device.rescan() {
            tracing::warn!(export = self.config.name, %error, "its size may be an old one");
        }
        let device = self.config.device.info();
        let is_read_only = self.config.read_only || device.read_only;
        let is_zeroing_fast = device.can.write_zeroes && self.config.device.zeroes_fast();
        let flags = Flags::SEND_FLUSH
            .with(Flags::SEND_FUA)
            .with(Flags::SEND_CACHE)
            .with(Flags::READ_ONLY.only_if(is_read_only))
            .with(Flags::CAN_MULTI_CONN.only_if(self.config.multi_conn || is_read_only))
            .with(Flags::SEND_TRIM.only_if(device.can.discard && !is_read_only))
            .with(
                Flags::SEND_WRITE_ZEROES
                    .with(Flags::SEND_FAST_ZERO.only_if(is_zeroing_fast))
                    .only_if(device.can.write_zeroes && !is_read_only),
            );
        let min = device.block_len;
        let preferred = device.optimal_len.max(BLOCK_LEN_PREFERRED).max(min);
        ExportInfo {
            name: self.config.name.clone(),
            description: self.config.description.clone(),
            size: device.size,
            flags,
            block_sizes: BlockSizes {
                min,
                preferred: (1 << preferred.ilog2()).min(CHUNK_MAX),
                max: payload_max(self.chunk_len),
            },
            insists_on_block_sizes: false,
            has_allocation: device.can.block_status,
            is_zeroing_fast,
        }
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

    /// Does at once what was gathered, where the device needs no more than a call for it: replies
    /// then leave in the turn that their requests came in. Not to be called from within a connection.
    #[inline]
    pub(crate) fn run_now(&self) {
        if !self.is_gathered.get() {
            return;
        }
        let mut channel = self.channel.borrow_mut();
        if channel.wait_source() == WaitSource::Poll {
            self.is_gathered.set(false);
            channel.flush_submissions();
            drop(channel);
            self.take_done();
        }
    }

    fn take_done(&self) -> usize {
        let mut done = std::mem::take(&mut *self.done.borrow_mut());
        if self.channel.borrow().in_flight() > 0 {
            self.channel.borrow_mut().poll(&mut done);
        }
        let count = done.len();
        if count > 0 {
            let node = self.node.get().and_then(Weak::upgrade);
            let node = node.expect("a node waits for its requests");
            self.settle(&node, &mut done);
        }
        *self.done.borrow_mut() = done;
        count
    }

    fn settle(&self, node: &Rc<Node>, done: &mut Completions) {
        let now = node.core.now();
        for completion in done.drain(..) {
            let Completion { tag, result, payload } = completion;
            if tag == OWN {
                self.own_flush_done(&result);
                continue;
            }
            let connection = node.connection((tag >> 32) as u32);
            let connection = connection.expect("a connection waits for its requests");
            let (slot, chunk) = ((tag >> 16 & 0xffff) as u16, (tag & 0xffff) as usize);
            connection.io_done(slot, chunk, result, payload, now);
        }
        node.advance_dirty();
    }

    /// A change goes to the device now.
    #[inline]
    pub(crate) fn change_begins(&self) {
        self.changing.set(self.changing.get() + 1);
    }

    /// A change came back.
    #[inline]
    pub(crate) fn change_ends(&self) {
        self.changing.set(self.changing.get() - 1);
        self.changes.set(self.changes.get() + 1);
    }

    /// Changes that a flush that begins now covers.
    #[inline]
    pub(crate) fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// A flush ended well.
    #[inline]
    pub(crate) fn flushed(&self, covers: u64) {
        self.durable.set(self.durable.get().max(covers));
    }

    fn is_clean(&self) -> bool {
        !self.can.volatile_cache || self.durable.get() == self.changes.get()
    }

    /// A change has to wait for the right to write.
    #[cold]
    pub(crate) fn wait_for_right(self: &Rc<Self>, connection: u32, slot: u16) {
        self.waiting.borrow_mut().push((connection, slot));
        if self.right.get() == Right::Absent {
            self.right.set(Right::Asked);
            let core = &self.node().core;
            let asking = Rc::clone(self).ask_for_right(Rc::clone(core));
            core.spawn(Class::Foreground, "nbd-right", asking);
        }
    }

    fn node(&self) -> Rc<Node> {
        self.node.get().and_then(Weak::upgrade).expect("an export that is used has a node")
    }

    async fn ask_for_right(self: Rc<Self>, core: Rc<Core>) {
        let asked = Rc::clone(&self.config.right).acquire(Rc::clone(&core)).await;
        let state = if asked.is_ok() { Right::Held } else { Right::Absent };
        self.right.set(state);
        if let Err(refused) = &asked {
            tracing::warn!(export = self.config.name, %refused, "a change was refused");
        }
        self.start_waiting(&asked);
        if asked.is_ok() {
            tracing::info!(export = self.config.name, "has the right to write");
            core.spawn(Class::Background, "nbd-right", Rc::clone(&self).hold_right(core.clone()));
        }
    }

    fn start_waiting(&self, asked: &Result<(), Refused>) {
        let node = self.node();
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        for (connection, slot) in waiting {
            if let Some(connection) = node.connection(connection) {
                connection.right_answered(slot, asked);
            }
        }
        node.advance_dirty();
    }

    /// Holds the right until another server asks for it, and the clients here have stopped writing.
    /// Where something is not durable then, it is made so.
    async fn hold_right(self: Rc<Self>, core: Rc<Core>) {
        let mut seen = self.changes.get();
        let mut quiet_since = core.now();
        while !self.is_removed.get() && self.node.get().and_then(Weak::upgrade).is_some() {
            core.sleep(LOOK_NS).await;
            let changes = self.changes.get();
            if std::mem::replace(&mut seen, changes) != changes || self.is_busy() {
                quiet_since = core.now();
            }
            if !self.config.right.is_wanted() {
                continue;
            }
            let is_quiet = core.now() - quiet_since >= QUIET_NS || !self.has_clients();
            if is_quiet && self.changing.get() == 0 && !self.is_clean() {
                self.flush_own().await;
            }
            if is_quiet && seen == self.changes.get() && !self.is_busy() && self.is_clean() {
                break;
            }
        }
        // An export that is served no more has let it go already.
        if self.right.replace(Right::Absent) == Right::Held {
            self.config.right.release();
            tracing::info!(export = self.config.name, "lets the right to write go");
        }
    }

    /// True while the device has anything to do for a client. A flush may take long, and whoever waits
    /// for it goes on to write after it.
    fn is_busy(&self) -> bool {
        let in_flight = self.channel.borrow().in_flight() > 0;
        self.changing.get() > 0 || in_flight || !self.held.borrow().is_empty()
    }

    fn has_clients(&self) -> bool {
        let is_here = |connection: &Connection| std::ptr::eq(&*connection.export, self);
        let node = self.node.get().and_then(Weak::upgrade);
        node.is_some_and(|node| !node.connections(is_here).is_empty())
    }

    async fn flush_own(&self) {
        let covers = self.changes.get();
        self.own_flush.set(true);
        self.submit(Io::flush().with_tag(OWN));
        self.flushed.until(|| (!self.own_flush.get()).then_some(())).await;
        if self.own_flush_ok.replace(false) {
            self.flushed(covers);
        }
    }

    fn own_flush_done(&self, result: &IoResult) {
        if let Err(error) = result {
            tracing::warn!(%error, "cannot make durable what is to be handed over");
        }
        self.own_flush_ok.set(result.is_ok());
        self.own_flush.set(false);
        self.flushed.changed();
    }
}

impl Polled for Export {
    fn flush(&self) {
        if !self.held.borrow().is_empty() {
            self.submit_held();
        }
        if self.is_gathered.replace(false) {
            self.channel.borrow_mut().flush_submissions();
        }
    }

    fn poll(&self, _core: &Rc<Core>) -> usize {
        // Clients that are here know one size; those that come ask the device.
        let _event = self.channel.borrow_mut().take_event();
        self.take_done()
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

fn check(info: &DeviceInfo) -> Result<(), SetupError> {
    if info.block_len.is_power_of_two() && info.block_len <= BLOCK_LEN_MIN_MAX {
        return Ok(());
    }
    let remedy = format!("serve a device with blocks of at most {BLOCK_LEN_MIN_MAX} bytes");
    Err(SetupError::new(&info.name, format!("blocks of {} bytes", info.block_len), remedy))
}

//! The export as a block device.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use byway_engine::block::{BlockDevice, Channel, DeviceInfo, Io, Op};
use byway_engine::core::{Core, CoreConfig};
use byway_engine::net::{INBOX_LEN, Inbox, OUTBOX_COPY_MAX, Outbox};
use byway_engine::reactor::Reactor;
use byway_engine::{ErrorKind, SetupError};
use byway_proto::nbd::client::Opened;
use byway_proto::nbd::context::ClientId;

use super::channel::NbdChannel;
use super::config::{DEPTH_MAX, NbdConfig};
use super::connect;
use super::leave::Kept;
use super::line::Line;
use super::terms::Terms;

/// Memory for handshakes, in bytes: a chunk of the arena for each length.
const SMALL_LEN: usize = 4 << 20;
/// The logical block where the server leaves it open, in bytes.
const BLOCK_LEN: u32 = 512;
/// The longest read or write that is taken, in bytes, even from a server that takes less at once.
const IO_LEN: u64 = 1 << 20;

/// An export that a server serves over a Unix socket or TCP.
pub struct NbdDevice {
    shared: Arc<Shared>,
}

/// What the channels of one device share. Nothing here is touched on the data path but a flag.
pub(crate) struct Shared {
    pub(crate) config: NbdConfig,
    pub(crate) facts: Opened,
    pub(crate) terms: Terms,
    pub(crate) size: AtomicU64,
    /// Something was written that no flush has made durable.
    pub(crate) dirty: AtomicBool,
    /// Flushes at the server that are to make something durable: until they are done, it is not.
    pub(crate) covering: AtomicU32,
    /// How often a server may have lost what its cache held.
    pub(crate) losses: AtomicU64,
    block_len: u32,
    channels: AtomicU32,
    /// The connection that opened the device, until a channel takes it.
    kept: Mutex<Option<Kept>>,
}

impl NbdDevice {
    /// Shakes hands; the first channel goes on with that connection. The calling thread waits.
    ///
    /// # Errors
    /// Where no server answers, or it does not serve the export.
    pub fn open(config: NbdConfig) -> Result<NbdDevice, SetupError> {
        let reactor = Reactor::new(&CoreConfig::default())?;
        reactor.run(|core| async move { NbdDevice::open_on(&core, config).await })
    }

    /// As [`NbdDevice::open`], in a task of a core.
    ///
    /// # Errors
    /// As [`NbdDevice::open`].
    pub async fn open_on(core: &Rc<Core>, config: NbdConfig) -> Result<NbdDevice, SetupError> {
        if config.depth == 0 || config.depth > DEPTH_MAX {
            let problem = format!("a depth of {} is not served", config.depth);
            return Err(SetupError::new(&config.name, problem, format!("use 1 to {DEPTH_MAX}")));
        }
        let client = name_of_client(core)?;
        let (stream, facts) =
            connect::open(core, &config, Some(client)).await.map_err(|problem| {
                let remedy = "check that the server runs, and the export's name";
                SetupError::new(&config.name, problem, remedy)
            })?;
        let kept = Kept::new(stream, facts.clone(), client);
        Ok(NbdDevice { shared: Arc::new(Shared::new(config, facts, kept)) })
    }

    fn no_memory(&self) -> SetupError {
        let problem = format!(
            "a channel takes {} MiB, more than the core's arena has left",
            self.memory_len() >> 20
        );
        SetupError::new(&self.shared.config.name, problem, "enlarge the arena")
    }
}

/// A name that no other client has.
fn name_of_client(core: &Core) -> Result<ClientId, SetupError> {
    let mut bytes = [0; 16];
    core.random(&mut bytes)?;
    Ok(ClientId(u128::from_be_bytes(bytes)))
}

/// The greatest block up to [`BLOCK_LEN`] of which the export consists, not below what the server
/// takes.
fn block_len(facts: &Opened) -> u32 {
    let least = facts.blocks.map_or(1, |blocks| blocks.min);
    let natural = 1u32 << facts.size.trailing_zeros().min(BLOCK_LEN.trailing_zeros());
    natural.max(least)
}

impl Shared {
    fn new(config: NbdConfig, facts: Opened, kept: Kept) -> Shared {
        let block_len = block_len(&facts);
        Shared {
            size: AtomicU64::new(facts.size - facts.size % u64::from(block_len)),
            block_len,
            terms: Terms::new(&facts),
            config,
            facts,
            dirty: AtomicBool::new(false),
            covering: AtomicU32::new(0),
            losses: AtomicU64::new(0),
            channels: AtomicU32::new(0),
            kept: Mutex::new(Some(kept)),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// An export's size in whole blocks.
    pub(crate) fn fitting(&self, size: u64) -> u64 {
        size - size % u64::from(self.block_len)
    }

    /// Why a connection is not to the export that was opened.
    pub(crate) fn check(&self, opened: &Opened) -> Result<(), String> {
        if block_len(opened) > self.block_len && opened.blocks != self.facts.blocks {
            let least = opened.blocks.map_or(1, |blocks| blocks.min);
            return Err(format!("the export takes blocks of {least} bytes now; open it again"));
        }
        Ok(())
    }

    /// Something was written without being made durable. The flag is read first: it is set already
    /// nearly always.
    #[inline]
    pub(crate) fn mark_dirty(&self) {
        if !self.dirty.load(Ordering::Relaxed) {
            self.dirty.store(true, Ordering::Release);
        }
    }

    /// A flush leaves; true where something is made durable by it alone.
    pub(crate) fn flush_leaves(&self) -> bool {
        // In this order, so that whoever looks at both never sees neither.
        self.covering.fetch_add(1, Ordering::AcqRel);
        let covers = self.dirty.swap(false, Ordering::AcqRel);
        if !covers {
            self.covering.fetch_sub(1, Ordering::AcqRel);
        }
        covers
    }

    /// A connection was lost, and with it perhaps what the server's cache held.
    pub(crate) fn connection_lost(&self) {
        let is_covering = self.covering.load(Ordering::Acquire) > 0;
        if self.dirty.swap(false, Ordering::AcqRel) || is_covering {
            self.losses.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// One more channel, where one is allowed.
    fn take_channel(&self) -> Result<(), SetupError> {
        let is_free = self.terms.is_shared() || self.is_read_only();
        let max = if is_free { self.config.connections_max } else { 1 };
        let more = |n: u32| (n < max).then_some(n + 1);
        let taken = self.channels.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.map(|_| ()).map_err(|_| {
            let problem = format!("it takes {max} connections at once");
            let remedy = "use fewer cores, or a server with multi-conn";
            SetupError::new(&self.config.name, problem, remedy)
        })
    }

    /// The connection that opened the device, for the first who asks.
    fn take_kept(&self) -> Option<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn give_back(&self) {
        self.channels.fetch_sub(1, Ordering::AcqRel);
    }

    fn is_read_only(&self) -> bool {
        self.config.read_only || self.terms.is_read_only()
    }

    fn io_len_max(&self) -> u64 {
        self.terms.transfer_len_max.max(IO_LEN)
    }

    /// Why a request cannot be served at all, if so.
    #[inline]
    pub(crate) fn refusal(&self, io: &Io) -> Option<(ErrorKind, String)> {
        let mask = u64::from(self.block_len) - 1;
        let inside = io.offset.checked_add(io.len).is_some_and(|end| end <= self.size());
        let fits = (io.offset | io.len) & mask == 0 && inside && io.len > 0;
        let carried = match io.op {
            Op::Read | Op::Write => io.len <= self.io_len_max() && io.payload.len() == io.len,
            Op::CompareAndWrite | Op::ReservationIn | Op::ReservationOut => false,
            _ => true,
        };
        let writes = io.op.changes_medium() && self.is_read_only();
        if (fits || !io.op.has_range()) && carried && !writes {
            None
        } else {
            Some(self.explain(io, inside))
        }
    }

    #[cold]
    fn explain(&self, io: &Io, inside: bool) -> (ErrorKind, String) {
        let name = &self.config.name;
        if matches!(io.op, Op::CompareAndWrite | Op::ReservationIn | Op::ReservationOut) {
            return (ErrorKind::Unsupported, format!("{name}: NBD knows no {}", io.op));
        }
        if io.op.changes_medium() && self.is_read_only() {
            return (ErrorKind::ReadOnly, format!("{name} is read-only"));
        }
        let words = if inside {
            let (block, max) = (self.block_len, self.io_len_max());
            format!("{name}: 1 to {max} bytes in blocks of {block}, with as much memory")
        } else {
            format!("{name} ends at byte {}", self.size())
        };
        (ErrorKind::Range, words)
    }
}

impl BlockDevice for NbdDevice {
    fn info(&self) -> DeviceInfo {
        let (shared, blocks) = (&self.shared, self.shared.facts.blocks);
        let best = blocks.map_or(4096, |blocks| blocks.preferred);
        DeviceInfo {
            name: shared.config.name.clone(),
            size: shared.size(),
            block_len: shared.block_len,
            atomic_len: shared.block_len,
            optimal_len: best.clamp(4096.max(shared.block_len), 256 << 10),
            io_len_max: shared.io_len_max() as u32,
            depth_max: u32::from(DEPTH_MAX),
            read_only: shared.is_read_only(),
            can: shared.terms.capabilities(),
        }
    }

    fn memory_len(&self) -> usize {
        let line = (2 * OUTBOX_COPY_MAX + INBOX_LEN) as usize;
        line.next_power_of_two() + SMALL_LEN
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        let name = name_of_client(core)?;
        self.shared.take_channel()?;
        let (Some(outbox), Some(inbox)) = (Outbox::new(core), Inbox::new(core)) else {
            self.shared.give_back();
            return Err(self.no_memory());
        };
        let kept = self.shared.take_kept();
        let client = kept.as_ref().map_or(name, |kept| kept.client);
        let line = Line::new(core, &self.shared, client, outbox);
        Ok(Box::new(NbdChannel::open(line, inbox, kept)))
    }
}

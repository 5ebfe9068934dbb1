//! What one core gives to everything that runs on it: a clock, memory, a ring, timers, tasks.
//!
//! Invariants: a core belongs to one thread; what runs on it shares it by `Rc` and needs no lock;
//! only its driver differs between the kernel and the simulator, never the code above.

mod clock;
mod config;
mod counters;
mod polled;
mod random;
mod signal;
mod sleep;
mod turn;

pub use clock::Clock;
pub use config::{CoreConfig, PollMode, processors};
pub use counters::CoreCounters;
pub use polled::Polled;
pub use signal::{Signal, within};
pub use sleep::{Sleep, YieldNow, yield_now};
pub use turn::Progress;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::task::Waker;

use crate::cross::remote::{self, Remote};
use crate::error::SetupError;
use crate::exec::{Class, CoreId, Executor, JoinHandle, TaskOrder};
use crate::memory::{Arena, ArenaConfig, Lease};
use crate::reactor::Peers;
use crate::ring::{Feature, FeatureSet, Ops, Ring};
use crate::sim::SimHost;
use crate::timer::{TimerKey, TimerWheel};
use counters::CounterCells;
use turn::PollState;

/// What a core does its I/O with.
pub enum Driver {
    /// The kernel, through io_uring.
    Kernel(Rc<Ops>),
    /// A simulated host: virtual time, and the world's disks and network.
    Sim(Rc<SimHost>),
    /// Nothing: memory devices only, on a virtual clock.
    Standalone,
}

/// One core: shared by everything that runs on its thread, and by nothing else.
pub struct Core {
    id: CoreId,
    remote: &'static Remote,
    epoch: u64,
    config: CoreConfig,
    clock: Clock,
    arena: Arena,
    driver: Driver,
    /// Made when first asked for.
    polled_ring: RefCell<Option<Rc<Ring>>>,
    executor: Executor,
    timers: RefCell<TimerWheel<Waker>>,
    expired: RefCell<Vec<Waker>>,
    /// Replaced as a whole, so that a turn can walk it while it changes.
    polled: RefCell<Rc<[Rc<dyn Polled>]>>,
    counters: CounterCells,
    poll_state: Cell<PollState>,
    /// Do not sleep in this turn: somebody waits for the turn itself.
    stay_awake: Cell<bool>,
    peers: RefCell<Option<Rc<Peers>>>,
}

thread_local! {
    /// The requests of the core that lives on this thread: the way to wake other rings.
    static CURRENT_OPS: RefCell<Option<Rc<Ops>>> = const { RefCell::new(None) };
}

impl Core {
    /// A core on the kernel, for the calling thread. It is pinned where the configuration says so.
    pub fn new(config: &CoreConfig) -> Result<Rc<Core>, SetupError> {
        config.pin()?;
        let ring = Rc::new(Ring::new(config.features_off)?);
        let arena = Arena::new(config.arena)?;
        ring.register_region(arena.region());
        let ops = Ops::new(ring)?;
        let core =
            Core::assemble(config, Clock::real(), arena, Driver::Kernel(ops), TaskOrder::Fifo)?;
        core.connect_mailbox()?;
        Ok(core)
    }

    /// A core without a kernel below it, on a clock that stands until it is advanced: for tests of
    /// devices that need no system call.
    pub fn standalone() -> Result<Rc<Core>, SetupError> {
        let arena = ArenaConfig { len: 32 << 20, huge: false };
        let config = CoreConfig { arena, ..CoreConfig::default() };
        Core::virtual_core(&config, Clock::virtual_at(0), Driver::Standalone, TaskOrder::Fifo)
    }

    pub(crate) fn virtual_core(
        config: &CoreConfig,
        clock: Clock,
        driver: Driver,
        order: TaskOrder,
    ) -> Result<Rc<Core>, SetupError> {
        let arena = Arena::new(config.arena)?;
        Core::assemble(config, clock, arena, driver, order)
    }

    fn assemble(
        config: &CoreConfig,
        clock: Clock,
        arena: Arena,
        driver: Driver,
        order: TaskOrder,
    ) -> Result<Rc<Core>, SetupError> {
        let (id, remote) = remote::claim()?;
        Ok(Rc::new(Core {
            id,
            remote,
            epoch: remote.epoch(),
            config: config.clone(),
            clock,
            arena,
            driver,
            polled_ring: RefCell::default(),
            executor: Executor::new(id, &remote.pulse, order),
            timers: RefCell::new(TimerWheel::new()),
            expired: RefCell::default(),
            polled: RefCell::new(Rc::new([])),
            counters: CounterCells::default(),
            poll_state: Cell::default(),
            stay_awake: Cell::new(false),
            peers: RefCell::default(),
        }))
    }

    /// Lets other threads and rings wake this core.
    fn connect_mailbox(self: &Rc<Self>) -> Result<(), SetupError> {
        let Driver::Kernel(ops) = &self.driver else {
            return Ok(());
        };
        let event = self.remote.event_fd()?;
        let wake_by_ring = ops.ring().features().has(Feature::MsgRing);
        self.remote.set_ring(if wake_by_ring { ops.ring().fd() } else { -1 });
        CURRENT_OPS.set(Some(Rc::clone(ops)));
        turn::watch_event(ops, event);
        Ok(())
    }

    /// This core's number.
    pub fn id(&self) -> CoreId {
        self.id
    }

    pub(crate) fn remote(&self) -> &'static Remote {
        self.remote
    }

    /// How the core was set up.
    pub fn config(&self) -> &CoreConfig {
        &self.config
    }

    /// Nanoseconds of this core's clock.
    #[inline]
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// The clock itself.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Memory for I/O on this core.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// A lease from this core's arena; see [`Arena::lease`].
    pub fn lease(&self, len: u32) -> Option<Lease> {
        self.arena.lease(len)
    }

    /// What the core does its I/O with.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// The requests of this core on the kernel, where there is one.
    pub fn ops(&self) -> Option<&Rc<Ops>> {
        match &self.driver {
            Driver::Kernel(ops) => Some(ops),
            Driver::Sim(_) | Driver::Standalone => None,
        }
    }

    /// The simulated host that this core runs on, where there is one.
    pub fn sim_host(&self) -> Option<&Rc<SimHost>> {
        match &self.driver {
            Driver::Sim(host) => Some(host),
            Driver::Kernel(_) | Driver::Standalone => None,
        }
    }

    /// A ring whose completions are polled, for a core that never sleeps and a file where a test
    /// read through such a ring succeeds.
    pub(crate) fn polled_ring_for(&self, file: &std::fs::File, align: u32) -> Option<Rc<Ring>> {
        let wanted =
            self.config.poll_mode == PollMode::Always && self.features().has(Feature::Iopoll);
        if !wanted {
            return None;
        }
        let mut slot = self.polled_ring.borrow_mut();
        if slot.is_none() {
            *slot = Ring::polled(self.config.features_off).ok().map(Rc::new);
            if let Some(ring) = &*slot {
                ring.register_region(self.arena.region());
            }
        }
        let (ring, lease) = (slot.as_ref()?, self.lease(align)?);
        ring.test_read(file, lease).then(|| Rc::clone(ring))
    }

    /// What the kernel below this core can do.
    pub fn features(&self) -> FeatureSet {
        self.ops().map_or(FeatureSet::NONE, |ops| ops.ring().features())
    }

    /// Starts a task on this core.
    pub fn spawn<T: 'static>(
        &self,
        class: Class,
        name: &'static str,
        future: impl Future<Output = T> + 'static,
    ) -> JoinHandle<T> {
        self.executor.spawn(class, name, future)
    }

    /// The core's tasks.
    pub fn executor(&self) -> &Executor {
        &self.executor
    }

    /// A future that ends when the clock reaches `deadline_ns`.
    pub fn sleep_until(self: &Rc<Self>, deadline_ns: u64) -> Sleep {
        Sleep::new(Rc::clone(self), deadline_ns)
    }

    /// A future that ends after `ns` nanoseconds.
    pub fn sleep(self: &Rc<Self>, ns: u64) -> Sleep {
        self.sleep_until(self.now().saturating_add(ns))
    }

    pub(crate) fn set_timer(&self, deadline_ns: u64, waker: Waker) -> TimerKey {
        self.timers.borrow_mut().insert(deadline_ns, waker)
    }

    pub(crate) fn cancel_timer(&self, key: TimerKey) {
        let waker = self.timers.borrow_mut().cancel(key);
        drop(waker);
    }

    /// Adds something that every turn flushes and polls.
    pub fn add_polled(&self, polled: Rc<dyn Polled>) {
        self.change_polled(|list| list.push(polled));
    }

    /// Takes out what `add_polled` added.
    pub fn remove_polled(&self, polled: &Rc<dyn Polled>) {
        self.remove_polled_by(|p| std::ptr::addr_eq(p, Rc::as_ptr(polled)));
    }

    /// Takes out what is found by its address.
    pub(crate) fn remove_polled_by(&self, is_it: impl Fn(*const dyn Polled) -> bool) {
        self.change_polled(|list| list.retain(|p| !is_it(Rc::as_ptr(p))));
    }

    /// What is taken out is dropped outside of the borrow, as that may do more.
    fn change_polled(&self, change: impl FnOnce(&mut Vec<Rc<dyn Polled>>)) {
        let mut list = self.polled.borrow().to_vec();
        change(&mut list);
        let before = self.polled.replace(list.into());
        drop(before);
    }

    /// Lets the turn that runs end without sleeping: its caller has something to look at.
    pub fn stay_awake(&self) {
        self.stay_awake.set(true);
    }

    /// Ends every task without running it again, and forgets timers and devices. Tasks hold their
    /// core, so a core that is not shut down lives for ever. A simulated host crashes this way.
    pub fn shutdown(&self) {
        let _current = crate::exec::enter_core(self.id);
        self.executor.clear();
        let timers = self.timers.replace(TimerWheel::with_capacity(0));
        let polled = self.polled.replace(Rc::new([]));
        drop((timers, polled));
        self.executor.forget_woken();
    }

    /// The other cores of this core's group, where it is in one.
    pub fn peers(&self) -> Option<Rc<Peers>> {
        self.peers.borrow().clone()
    }

    pub(crate) fn set_peers(&self, peers: Rc<Peers>) {
        *self.peers.borrow_mut() = Some(peers);
    }

    /// A handle for other threads.
    pub fn handle(&self) -> CoreHandle {
        CoreHandle { id: self.id, remote: self.remote, epoch: self.epoch }
    }

    /// What the core has done so far.
    pub fn counters(&self) -> CoreCounters {
        let syscalls = self.ops().map_or(0, |ops| ops.ring().enters());
        self.counters.read(syscalls, self.executor.polls())
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.shutdown();
        if let Driver::Kernel(ops) = &self.driver {
            let mine = |current: &Rc<Ops>| Rc::ptr_eq(current, ops);
            CURRENT_OPS.with_borrow_mut(|current| current.take_if(|c| mine(c)));
        }
        remote::release(self.remote);
    }
}

/// Wakes another core's ring through the ring of this thread, where it has one.
pub(crate) fn wake_through_current_ring(ring_fd: RawFd) -> bool {
    CURRENT_OPS.with_borrow(|current| match current {
        Some(ops) if ops.ring().features().has(Feature::MsgRing) => {
            ops.wake_other(ring_fd);
            true
        }
        _ => false,
    })
}

/// A core, seen from other threads.
#[derive(Clone, Copy)]
pub struct CoreHandle {
    id: CoreId,
    remote: &'static Remote,
    epoch: u64,
}

impl CoreHandle {
    /// The core's number.
    pub fn id(&self) -> CoreId {
        self.id
    }

    /// Sends a call to the core; it runs at its next turn.
    pub fn send(&self, call: crate::cross::Call) -> Result<(), crate::cross::SendError> {
        remote::send(self.remote, self.epoch, call)
    }

    /// Wakes the core if it sleeps.
    pub fn notify(&self) {
        self.remote.notify();
    }

    /// True while the core lives.
    pub fn is_alive(&self) -> bool {
        self.remote.epoch() == self.epoch
    }
}

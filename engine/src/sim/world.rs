//! A world of hosts, disks and a network in one thread, on one virtual clock, under one seed.
//!
//! Invariants: the seed decides which runnable host turns next; when none is runnable, time jumps
//! to the next event; nothing reads a real clock, starts a thread or iterates in hash order. So
//! equal seeds give equal traces. A crashed host's tasks never run again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use super::net::Net;
use super::trace::Trace;
use super::{DiskConfig, HostId, Livelock, Rng, SimDisk, SimHost, Stop, WorldConfig};
use crate::core::{Clock, Core, CoreConfig, Driver};
use crate::exec::{Class, JoinHandle, TaskOrder};
use crate::memory::ArenaConfig;

/// Something to do to the world at a moment.
type Act = Box<dyn FnOnce(&mut World)>;

struct Host {
    name: String,
    /// None while it is down.
    core: Option<Rc<Core>>,
    life: u64,
    paused_until: u64,
}

/// Hosts, disks and a network under one seed.
pub struct World {
    seed: u64,
    config: WorldConfig,
    clock: Clock,
    rng: Rng,
    trace: Trace,
    hosts: Vec<Host>,
    disks: Vec<SimDisk>,
    net: Rc<RefCell<Net>>,
    acts: BTreeMap<(u64, u64), Act>,
    acts_ever: u64,
    steps: u64,
}

impl World {
    /// An empty world at time zero.
    pub fn new(seed: u64, mut config: WorldConfig) -> World {
        let mut rng = Rng::new(seed);
        let clock = Clock::virtual_at(0);
        let trace = Trace::new(config.observer.take());
        let net = Net::new(config.net.clone(), clock.clone(), rng.fork(), trace.clone());
        World {
            seed,
            config,
            clock,
            rng,
            trace,
            hosts: Vec::new(),
            disks: Vec::new(),
            net: Rc::new(RefCell::new(net)),
            acts: BTreeMap::new(),
            acts_ever: 0,
            steps: 0,
        }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Virtual time in nanoseconds.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Turns and jumps of time so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// A hash of everything that happened so far: equal for equal runs.
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// A stream of chance for the scenario itself.
    #[must_use]
    pub fn fork_rng(&mut self) -> Rng {
        self.rng.fork()
    }

    /// The network, to be cut and healed.
    pub(super) fn net(&self) -> &RefCell<Net> {
        &self.net
    }

    /// Adds a host that is up.
    pub fn add_host(&mut self, name: &str) -> HostId {
        let id = HostId(self.hosts.len());
        self.hosts.push(Host { name: name.into(), core: None, life: 0, paused_until: 0 });
        self.boot(id);
        id
    }

    /// The name that the host was added with.
    pub fn host_name(&self, host: HostId) -> &str {
        &self.hosts[host.0].name
    }

    /// Adds a disk, which any host may open.
    ///
    /// # Panics
    /// When the configuration is no geometry.
    pub fn add_disk(&mut self, config: DiskConfig) -> SimDisk {
        let (rng, number) = (self.rng.fork(), self.disks.len() as u64);
        let disk = SimDisk::in_world(config, rng, self.trace.clone(), number);
        disk.advance_to(self.now());
        self.disks.push(disk.clone());
        disk
    }

    fn boot(&mut self, id: HostId) {
        let host = &mut self.hosts[id.0];
        host.life += 1;
        host.paused_until = 0;
        let driver = Driver::Sim(Rc::new(SimHost::new(id, host.life, Rc::clone(&self.net))));
        let arena = ArenaConfig { len: self.config.arena_len, huge: false };
        let config = CoreConfig { arena, stall_ns: 0, ..CoreConfig::default() };
        let order = TaskOrder::Seeded(self.rng.next_u64());
        let core = Core::virtual_core(&config, self.clock.clone(), driver, order);
        host.core = Some(core.expect("memory for one more simulated host"));
        self.net.borrow_mut().host_up(id, host.life);
        self.trace.note(self.clock.now(), "boot", id.0 as u64, [host.life, 0]);
    }

    /// Starts `main` on a host, beside what runs there.
    ///
    /// # Panics
    /// When the host is down.
    pub fn start<T, F>(&mut self, host: HostId, main: impl FnOnce(Rc<Core>) -> F) -> JoinHandle<T>
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let core = self.hosts[host.0].core.as_ref().expect("the host is up");
        core.spawn(Class::Foreground, "main", main(Rc::clone(core)))
    }

    /// Starts a host that is down, or crashes and starts one that is up, and then `main` on it.
    pub fn restart<T, F>(&mut self, host: HostId, main: impl FnOnce(Rc<Core>) -> F) -> JoinHandle<T>
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        self.crash(host);
        self.boot(host);
        self.start(host, main)
    }

    /// Ends a host at this moment: its tasks never run again, its connections fall silent, its
    /// requests in flight may have left it or not. Disks keep their power and their caches.
    pub fn crash(&mut self, host: HostId) {
        let Some(core) = self.hosts[host.0].core.take() else { return };
        self.trace.note(self.now(), "crash", host.0 as u64, [0, 0]);
        // First the network, so that streams dropped with the tasks say no farewell.
        self.net.borrow_mut().host_down(host);
        core.shutdown();
    }

    /// True where the host is up.
    pub fn is_up(&self, host: HostId) -> bool {
        self.hosts[host.0].core.is_some()
    }

    /// Stalls a host for `ns` nanoseconds: time passes for everyone, and it does nothing.
    pub fn pause(&mut self, host: HostId, ns: u64) {
        let until = self.now().saturating_add(ns);
        self.trace.note(self.now(), "pause", host.0 as u64, [ns, 0]);
        let host = &mut self.hosts[host.0];
        host.paused_until = host.paused_until.max(until);
    }

    /// Does `act` to the world at `at_ns`, or at once where that is past.
    pub fn at(&mut self, at_ns: u64, act: impl FnOnce(&mut World) + 'static) {
        self.acts_ever += 1;
        self.acts.insert((at_ns, self.acts_ever), Box::new(act));
    }

    /// Runs until `done` holds, at most until `deadline_ns`.
    pub fn run_until(
        &mut self,
        deadline_ns: u64,
        mut done: impl FnMut() -> bool,
    ) -> Result<Stop, Livelock> {
        loop {
            if done() {
                return Ok(Stop::Condition);
            }
            if self.steps >= self.config.steps_max {
                return Err(Livelock { seed: self.seed, steps: self.steps, now_ns: self.now() });
            }
            self.let_happen();
            if self.now() >= deadline_ns {
                return Ok(Stop::Deadline);
            }
            if self.turn_one() {
                continue;
            }
            match self.next_event() {
                Some(at) => self.clock.advance_to(at.min(deadline_ns)),
                None => return Ok(Stop::Idle),
            }
            self.steps += 1;
        }
    }

    /// Runs for `ns` nanoseconds of virtual time, which pass even where nothing happens.
    pub fn run_for(&mut self, ns: u64) -> Result<Stop, Livelock> {
        let deadline_ns = self.now().saturating_add(ns);
        let stop = self.run_until(deadline_ns, || false)?;
        self.clock.advance_to(deadline_ns);
        Ok(stop)
    }

    /// Runs until nothing will ever happen again.
    pub fn run(&mut self) -> Result<Stop, Livelock> {
        self.run_until(u64::MAX, || false)
    }

    /// Everything that is due happens: on disks, on the wire, and to the world itself.
    fn let_happen(&mut self) {
        let now = self.now();
        self.disks.iter().for_each(|disk| disk.advance_to(now));
        let woken = self.net.borrow_mut().advance(now);
        // Outside of the borrow, and in order of arrival.
        woken.into_iter().for_each(std::task::Waker::wake);
        while let Some(entry) = self.acts.first_entry()
            && entry.key().0 <= now
        {
            let act = entry.remove();
            act(self);
        }
    }

    /// Gives one runnable host a turn; false where there is none.
    fn turn_one(&mut self) -> bool {
        let now = self.now();
        let is_runnable = |host: &Host| {
            host.paused_until <= now && host.core.as_ref().is_some_and(|core| is_due(core, now))
        };
        let runnable: Vec<usize> =
            (0..self.hosts.len()).filter(|&at| is_runnable(&self.hosts[at])).collect();
        if runnable.is_empty() {
            return false;
        }
        let at = self.rng.pick(&runnable);
        let core = self.hosts[at].core.clone().expect("a runnable host is up");
        let polls = core.executor().polls();
        core.turn(false);
        let polled = core.executor().polls() - polls;
        self.trace.note(now, "turn", at as u64, [polled, 0]);
        self.steps += 1;
        let took = self.rng.within(self.config.turn_ns.clone());
        self.clock.advance_to(now.saturating_add(took));
        true
    }

    /// When the next thing happens by itself.
    fn next_event(&self) -> Option<u64> {
        let now = self.now();
        let disks = self.disks.iter().filter_map(SimDisk::next_event);
        let acts = self.acts.first_key_value().map(|((at, _), _)| *at);
        let wire = self.net.borrow().next_event();
        let hosts = self.hosts.iter().filter_map(|host| {
            let core = host.core.as_ref()?;
            let due = if is_due(core, now) { Some(now) } else { core.next_due() };
            due.map(|due| due.max(host.paused_until))
        });
        let never = |at: &u64| *at < u64::MAX;
        disks.chain(acts).chain(wire).chain(hosts).filter(never).min()
    }
}

fn is_due(core: &Core, now: u64) -> bool {
    core.has_work() || core.next_due().is_some_and(|due| due <= now)
}

impl Drop for World {
    /// Tasks hold their core, so they are ended as by a crash.
    fn drop(&mut self) {
        (0..self.hosts.len()).for_each(|at| self.crash(HostId(at)));
    }
}

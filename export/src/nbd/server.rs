//! A server from the outside: start it, look at it, change what it serves, stop it.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use byway_engine::core::{Core, Polled};
use byway_engine::error::SetupError;
use byway_engine::exec::{Class, JoinHandle};
use byway_engine::net::{Address, ListenOptions, Listener, Stream};

use super::config::{ExportConfig, ListenOn, REQUESTS_MAX, ServerConfig};
use super::connection::Connection;
use super::doors::{Door, Handed};
use super::export::{Export, Right};
use super::guests::{Guest, Guests, Seat};
use super::mutation::{Mutation, Plan};
use super::node::Node;
use super::serve::serve;
use super::stats::{ConnectionStats, ExportStats, ServerStats, count};
use super::{housekeeping, succession, wire::Wire};
use crate::race::race;

/// The pause between two connections, in nanoseconds: with it those that come and go in a loop cost the
/// others little, and a thousand are still here within a fraction of a second.
const NEXT_NS: u64 = 100_000;
/// How long a listener that failed is left alone, in nanoseconds.
const PAUSE_NS: u64 = 100_000_000;
/// How often a quiet connection over TCP is probed.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// For how long sent bytes may stay unacknowledged over TCP, in milliseconds.
const USER_TIMEOUT_MS: u32 = 20_000;
/// Bytes of a name or a description (NBD, 'Conventions').
const TEXT_LEN_MAX: usize = byway_proto::nbd::limits::TEXT_LEN_MAX;

/// The NBD server: serves block devices to clients.
pub struct Server;

impl Server {
    /// Listens and serves on this core until it is stopped. The same server on several cores is one
    /// for each, with a [`Door`] between them, and a handle of the same right.
    ///
    /// # Errors
    /// Where a device or a listener cannot be opened; by the thing and the remedy.
    pub fn start(core: &Rc<Core>, config: ServerConfig) -> Result<ServerHandle, SetupError> {
        Server::start_broken(core, config, None)
    }

    /// As [`Server::start`], and breaks a rule on purpose, so that checkers can prove that they notice.
    ///
    /// # Errors
    /// As those of [`Server::start`].
    pub fn start_broken(
        core: &Rc<Core>,
        config: ServerConfig,
        mutation: Option<Mutation>,
    ) -> Result<ServerHandle, SetupError> {
        check(&config)?;
        let listeners = listen(core, config.listeners)?;
        let addresses = listeners.iter().map(|l| l.local_address().clone()).collect();
        let ServerConfig { exports, limits, tls, door, .. } = config;
        let guests = match &door {
            Some(door) => Arc::clone(door.guests()),
            None => Guests::new(limits.connections_max, 1),
        };
        let node = Node::new(core, limits, tls, guests, Plan::new(mutation));
        let handle = ServerHandle { node, addresses, door, tasks: RefCell::default() };
        for export in exports {
            handle.add_export(export)?;
        }
        for listener in listeners {
            let accepting = accept(Rc::clone(&handle.node), listener, handle.door.clone());
            handle.spawn(Class::Foreground, "nbd-accept", accepting);
        }
        if let Some(door) = &handle.door {
            let adopting = adopt(Rc::clone(&handle.node), door.clone());
            handle.spawn(Class::Foreground, "nbd-adopt", adopting);
            let keeping = succession::keep_order(Rc::clone(&handle.node));
            handle.spawn(Class::Foreground, "nbd-succession", keeping);
        }
        let keeping = housekeeping::run(Rc::clone(&handle.node));
        handle.spawn(Class::Background, "nbd-housekeeping", keeping);
        Ok(handle)
    }
}

/// A server that runs. Dropping it stops the server without a word to its clients.
pub struct ServerHandle {
    node: Rc<Node>,
    addresses: Vec<Address>,
    door: Option<Door>,
    tasks: RefCell<Vec<JoinHandle<()>>>,
}

impl ServerHandle {
    fn spawn(&self, class: Class, name: &'static str, task: impl Future<Output = ()> + 'static) {
        self.tasks.borrow_mut().push(self.node.core.spawn(class, name, task));
    }

    /// Where it listens, in the order of the listeners.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// What it serves, who is there, and what was done.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        let node = &self.node;
        let connections = node.connections(|_| true);
        let of_export = |export: &Rc<Export>| {
            let info = export.config.device.info();
            let uses = |connection: &&Rc<Connection>| Rc::ptr_eq(&connection.export, export);
            ExportStats {
                name: export.config.name.clone(),
                device: info.name,
                size: info.size,
                read_only: export.config.read_only || info.read_only,
                connections: connections.iter().filter(uses).count(),
                has_right: export.right.get() == Right::Held,
                counts: *export.counts.borrow(),
            }
        };
        let of_connection = |connection: &Rc<Connection>| {
            let inner = connection.inner.borrow();
            ConnectionStats {
                export: connection.export.config.name.clone(),
                peer: connection.peer.clone(),
                requests: inner.slots.used().into(),
                held_bytes: inner.charged,
                counts: inner.counts,
            }
        };
        ServerStats {
            exports: node.exports.borrow().iter().map(of_export).collect(),
            connections: connections.iter().map(of_connection).collect(),
            accepted: node.accepted.get(),
            turned_away: node.turned_away.get(),
            served: node.served.get(),
        }
    }

    /// Serves one more device from now on.
    ///
    /// # Errors
    /// Where the name is taken or too long, or the device cannot be opened.
    pub fn add_export(&self, config: ExportConfig) -> Result<(), SetupError> {
        let named = || format!("export \"{}\"", config.name);
        if config.name.len() > TEXT_LEN_MAX || config.description.len() > TEXT_LEN_MAX {
            let problem = format!("a name or description of more than {TEXT_LEN_MAX} bytes");
            return Err(SetupError::new(named(), problem, "use a shorter one"));
        }
        let is_taken = self.node.exports.borrow().iter().any(|e| e.config.name == config.name);
        if is_taken {
            return Err(SetupError::new(named(), "the name is taken", "use another name"));
        }
        let export = Rc::new(Export::open(&self.node.core, config)?);
        export.connect(&self.node);
        self.node.core.add_polled(Rc::clone(&export) as Rc<dyn Polled>);
        self.node.exports.borrow_mut().push(export);
        Ok(())
    }

    /// Serves a device no more: its clients get what they asked for, are told that the server goes
    /// away, and are cut after the time that the limits give them. False where there is no such
    /// export.
    pub async fn remove_export(&self, name: &str) -> bool {
        let Some(export) = self.take_export(name) else { return false };
        export.is_removed.set(true);
        drain(&self.node, |connection| Rc::ptr_eq(&connection.export, &export)).await;
        leave(&self.node, &export);
        true
    }

    fn take_export(&self, name: &str) -> Option<Rc<Export>> {
        let mut exports = self.node.exports.borrow_mut();
        let at = exports.iter().position(|export| export.config.name == name)?;
        Some(exports.remove(at))
    }

    /// Stops: nobody else comes in; clients get what they asked for and are told that the server goes
    /// away; who has not left after the time that the limits give is cut. Ends when the devices have
    /// nothing of theirs any more.
    pub async fn stop(&self) {
        let node = &self.node;
        self.close();
        let tasks: Vec<_> = self.tasks.borrow_mut().drain(..).collect();
        tasks.iter().for_each(JoinHandle::abort);
        drain(node, |_| true).await;
        let in_time = node.core.sleep(node.limits.drain_ns);
        race(node.changed.until(|| (node.served.get() == 0).then_some(())), in_time).await;
        // The listeners are free for whoever comes next.
        for task in tasks {
            let _aborted = task.await;
        }
    }
}

impl ServerHandle {
    /// Nobody else comes in.
    fn close(&self) {
        self.node.is_stopping.set(true);
        if let Some(door) = &self.door {
            door.close();
        }
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.close();
        self.tasks.borrow_mut().drain(..).for_each(|task| task.abort());
        self.node.connections(|_| true).iter().for_each(|connection| connection.kill());
        self.node.changed.changed();
        let node = Rc::clone(&self.node);
        // The devices are polled until the last request is back.
        let leaving = async move {
            node.changed.until(|| (node.served.get() == 0).then_some(())).await;
            let exports = std::mem::take(&mut *node.exports.borrow_mut());
            exports.iter().for_each(|export| leave(&node, export));
        };
        self.node.core.spawn(Class::Background, "nbd-leave", leaving);
    }
}

/// An export is polled no more, and does not hold the right to write.
fn leave(node: &Node, export: &Rc<Export>) {
    export.is_removed.set(true);
    let polled: Rc<dyn Polled> = Rc::clone(export) as Rc<dyn Polled>;
    node.core.remove_polled(&polled);
    if export.right.replace(Right::Absent) == Right::Held {
        export.config.right.release();
    }
}

/// Waits until the connections that are meant have left; those that are idle are closed at once, the
/// others when their time is over.
async fn drain(node: &Rc<Node>, is_meant: impl Fn(&Connection) -> bool) {
    let deadline = node.core.now() + node.limits.drain_ns;
    let is_over = || node.connections(&is_meant).is_empty().then_some(());
    let is_quiet = || {
        let is_busy = |connection: &Rc<Connection>| connection.is_busy();
        (!node.connections(&is_meant).iter().any(is_busy)).then_some(())
    };
    race(node.changed.until(is_quiet), node.core.sleep_until(deadline)).await;
    node.connections(&is_meant).iter().for_each(|connection| connection.close());
    race(node.changed.until(is_over), node.core.sleep_until(deadline)).await;
    node.connections(&is_meant).iter().for_each(|connection| connection.kill());
    node.changed.until(is_over).await;
}

async fn accept(node: Rc<Node>, listener: Listener, door: Option<Door>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match node.guests.enter() {
                Some(guest) => {
                    count(&node.accepted);
                    admit(&node, stream, guest, door.as_ref());
                    // Whoever connects in a loop takes turns with those who are here.
                    node.core.sleep(NEXT_NS).await;
                }
                None => {
                    count(&node.turned_away);
                    tracing::warn!(peer = %stream.peer_address(), "too many connections");
                }
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                node.core.sleep(PAUSE_NS).await;
            }
        }
    }
}

/// Serves a connection here, or gives it to the core that has the fewest.
fn admit(node: &Rc<Node>, stream: Stream, guest: Guest, door: Option<&Door>) {
    let Some(door) = door else { return welcome(node, stream, guest, None) };
    let seat = door.choose();
    if door.is_own(&seat) {
        return welcome(node, stream, guest, Some(seat));
    }
    let Some(connection) = stream.park() else {
        return tracing::warn!("a connection cannot be given to another core: closed");
    };
    if let Err(back) = door.hand_over(Handed { connection, guest, seat }) {
        resume(node, Handed { seat: door.own_seat(), ..back });
    }
}

/// Serves connections that came in at other cores.
async fn adopt(node: Rc<Node>, door: Door) {
    while let Some(handed) = door.next().await {
        resume(&node, handed);
    }
}

fn resume(node: &Rc<Node>, handed: Handed) {
    let Handed { connection, guest, seat } = handed;
    match connection.resume(&node.core) {
        Ok(stream) => welcome(node, stream, guest, Some(seat)),
        Err(error) => tracing::warn!(%error, "a connection of another core is lost"),
    }
}

fn welcome(node: &Rc<Node>, stream: Stream, guest: Guest, seat: Option<Seat>) {
    node.served.set(node.served.get() + 1);
    notice_the_end(&stream);
    let served = Served { node: Rc::clone(node), _guest: guest, _seat: seat };
    let serving = async move {
        serve(Rc::clone(&served.node), Wire::Plain(Rc::new(stream))).await;
        drop(served);
    };
    drop(node.core.spawn(Class::Foreground, "nbd-serve", serving));
}

/// A client that vanished is noticed, also where nothing is to be said to it.
fn notice_the_end(stream: &Stream) {
    let set = stream.set_user_timeout(USER_TIMEOUT_MS).and(stream.set_keep_alive(KEEP_ALIVE));
    if let Err(error) = set {
        tracing::debug!(%error, "a connection that has ended already");
    }
}

/// Counts a connection while it is served.
struct Served {
    node: Rc<Node>,
    _guest: Guest,
    _seat: Option<Seat>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.node.served.set(self.node.served.get() - 1);
        self.node.changed.changed();
    }
}

fn check(config: &ServerConfig) -> Result<(), SetupError> {
    let server = || "NBD server";
    if config.listeners.is_empty() && config.door.is_none() {
        return Err(SetupError::new(server(), "listens nowhere", "name a socket or an address"));
    }
    if !(1..=REQUESTS_MAX).contains(&config.limits.requests_max) {
        let remedy = format!("use 1 to {REQUESTS_MAX}");
        return Err(SetupError::new(server(), "a wrong number of requests at once", remedy));
    }
    Ok(())
}

fn listen(core: &Rc<Core>, listeners: Vec<ListenOn>) -> Result<Vec<Listener>, SetupError> {
    let open = |listener| match listener {
        ListenOn::Address(address) => Listener::bind(core, &address, ListenOptions::default()),
        ListenOn::Inherited(fd) => Listener::from_fd(core, fd),
    };
    listeners.into_iter().map(|listener| open(listener).map_err(SetupError::from)).collect()
}

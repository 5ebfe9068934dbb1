//! What all connections of a server share: exports, memory, and whom to tell.
//!
//! Invariant: a connection keeps its index until it is removed, which is not before the device has
//! given back everything of its requests.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::core::Core;

use super::config::{ServerLimits, ServerTls};
use super::connection::Connection;
use super::export::Export;
use super::guests::Guests;
use super::mutation::{Mutation, Plan};
use crate::watch::Watch;

/// One server on one core.
pub(crate) struct Node {
    pub(crate) core: Rc<Core>,
    pub(crate) limits: ServerLimits,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) exports: RefCell<Vec<Rc<Export>>>,
    connections: RefCell<Vec<Option<Rc<Connection>>>>,
    /// Connections that are to be advanced.
    pub(crate) dirty: RefCell<Vec<u32>>,
    /// Bytes of the arena that requests hold, and all of its bytes.
    pub(crate) held_bytes: Cell<u64>,
    arena_len: u64,
    /// Connections that wait for memory of others.
    pub(crate) starving: Cell<u32>,
    is_freed: Cell<bool>,
    /// Whoever waits for memory waits here.
    pub(crate) memory: Watch,
    /// Connections and requests came or went.
    pub(crate) changed: Watch,
    pub(crate) is_stopping: Cell<bool>,
    /// Connections that are served, those in their handshake included.
    pub(crate) served: Cell<u32>,
    pub(crate) accepted: Cell<u64>,
    pub(crate) turned_away: Cell<u64>,
    /// The clients of this server, and of others that share the count.
    pub(crate) guests: Arc<Guests>,
    /// Rules that it breaks.
    pub(crate) plan: Plan,
}

impl Node {
    pub(crate) fn new(
        core: &Rc<Core>,
        limits: ServerLimits,
        tls: Option<ServerTls>,
        guests: Arc<Guests>,
        plan: Plan,
    ) -> Rc<Node> {
        Rc::new(Node {
            core: Rc::clone(core),
            limits,
            tls,
            exports: RefCell::default(),
            connections: RefCell::default(),
            dirty: RefCell::default(),
            held_bytes: Cell::new(0),
            arena_len: core.arena().region().len() as u64,
            starving: Cell::new(0),
            is_freed: Cell::new(false),
            memory: Watch::default(),
            changed: Watch::default(),
            is_stopping: Cell::new(false),
            served: Cell::new(0),
            accepted: Cell::new(0),
            turned_away: Cell::new(0),
            guests,
            plan,
        })
    }

    /// The export of that name; the first where a client names none and none has the empty name.
    pub(crate) fn export(&self, name: &str) -> Option<Rc<Export>> {
        let exports = self.exports.borrow();
        let named = exports.iter().find(|export| export.config.name == name);
        named.or(exports.first().filter(|_| name.is_empty())).cloned()
    }

    #[inline]
    pub(crate) fn connection(&self, index: u32) -> Option<Rc<Connection>> {
        self.connections.borrow().get(index as usize)?.clone()
    }

    /// The connections that are meant, by index.
    pub(crate) fn connections(
        &self,
        is_meant: impl Fn(&Connection) -> bool,
    ) -> Vec<Rc<Connection>> {
        let connections = self.connections.borrow();
        connections.iter().flatten().filter(|c| is_meant(c)).cloned().collect()
    }

    /// A connection begins its transmission.
    pub(crate) fn insert(&self, make: impl FnOnce(u32) -> Connection) -> Rc<Connection> {
        let mut connections = self.connections.borrow_mut();
        let free = connections.iter().position(Option::is_none);
        let index = free.unwrap_or(connections.len());
        let connection = Rc::new(make(index as u32));
        if index == connections.len() {
            connections.push(None);
        }
        connections[index] = Some(Rc::clone(&connection));
        connection
    }

    /// A connection is over.
    pub(crate) fn remove(&self, connection: &Connection) {
        if self.plan.breaks(Mutation::ConnectionLeaked) {
            return;
        }
        self.connections.borrow_mut()[connection.index as usize] = None;
        self.changed.changed();
    }

    /// Bytes that one connection may hold: half of what nobody has, so that those who take and give
    /// nothing back leave something for others, however many they are.
    #[inline]
    pub(crate) fn share(&self) -> u64 {
        let free = self.arena_len.saturating_sub(self.held_bytes.get());
        self.limits.connection_bytes_max.min(free / 2)
    }

    /// Memory came back.
    #[inline]
    pub(crate) fn freed(&self, len: u32) {
        self.held_bytes.set(self.held_bytes.get() - u64::from(len));
        self.is_freed.set(true);
    }

    /// Advances the connections that something came back for.
    #[inline]
    pub(crate) fn advance_dirty(&self) {
        while let Some(index) = self.next_dirty() {
            if let Some(connection) = self.connection(index) {
                connection.is_dirty.set(false);
                connection.advance();
            }
        }
        self.memory_changed();
    }

    #[inline]
    fn next_dirty(&self) -> Option<u32> {
        self.dirty.borrow_mut().pop()
    }

    /// Memory may have come back: who waits for some tries again.
    #[inline]
    pub(crate) fn memory_changed(&self) {
        if self.is_freed.replace(false) {
            self.memory.changed();
        }
    }
}

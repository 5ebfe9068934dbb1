//! What all connections of a target share: logical units, sessions, memory, and whom to tell.
//!
//! Invariants: a connection keeps its index until it is removed; a session's key is held by one
//! login or session at a time. Nothing here is iterated in an order that depends on more than what
//! happened.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use byway_engine::core::Core;
use byway_proto::iscsi::login::Directory;
use byway_proto::iscsi::negotiate::Operational;
use byway_proto::iscsi::target::TaskId;
use byway_proto::scsi::Lun;

use super::config::{Entropy, TargetLimits};
use super::connection::{Connection, SessionKey};
use super::faults::Faults;
use super::ledger::{Shared, Shortage};
use super::slot::Stage;
use super::state::StateStore;
use super::unit::Unit;
use crate::watch::Watch;

/// One target node on one core.
pub(crate) struct Node {
    pub(crate) core: Rc<Core>,
    pub(crate) limits: TargetLimits,
    pub(crate) operational: Operational,
    pub(crate) faults: Faults,
    pub(crate) entropy: Entropy,
    pub(crate) state: Option<Rc<dyn StateStore>>,
    /// What may be seen through each portal group.
    pub(crate) directories: RefCell<BTreeMap<u16, Rc<Directory>>>,
    units: Vec<Rc<Unit>>,
    connections: RefCell<Vec<Option<Rc<Connection>>>>,
    /// Keys of sessions and of logins that wait to become one, with the number of the login.
    pub(crate) keys: RefCell<BTreeMap<SessionKey, u64>>,
    /// Connections that are to be advanced.
    pub(crate) dirty: RefCell<Vec<u32>>,
    /// Reads that wait for memory, in the order they came.
    pub(crate) starved: RefCell<VecDeque<(u32, TaskId)>>,
    pub(crate) shared: Rc<Shared>,
    /// Whoever waits for memory waits here.
    pub(crate) memory: Watch,
    /// Sessions and their tasks came or went.
    pub(crate) changed: Watch,
    /// Tasks that wait for commands of others to end.
    pub(crate) is_draining: Cell<u32>,
    pub(crate) is_stopping: Cell<bool>,
    /// Connections that are served, those that log in included.
    pub(crate) served: Cell<u32>,
    pub(crate) logins: Cell<u64>,
    pub(crate) opened: Cell<u64>,
    tsih: Cell<u16>,
}

/// What a node is made of.
pub(crate) struct Parts {
    pub(crate) limits: TargetLimits,
    pub(crate) operational: Operational,
    pub(crate) faults: Faults,
    pub(crate) entropy: Entropy,
    pub(crate) state: Option<Rc<dyn StateStore>>,
    pub(crate) units: Vec<Rc<Unit>>,
}

impl Node {
    pub(crate) fn new(core: &Rc<Core>, parts: Parts) -> Rc<Node> {
        let node = Rc::new(Node {
            core: Rc::clone(core),
            limits: parts.limits,
            operational: parts.operational,
            faults: parts.faults,
            entropy: parts.entropy,
            state: parts.state,
            directories: RefCell::default(),
            units: parts.units,
            connections: RefCell::default(),
            keys: RefCell::default(),
            dirty: RefCell::default(),
            starved: RefCell::default(),
            shared: Rc::default(),
            memory: Watch::default(),
            changed: Watch::default(),
            is_draining: Cell::new(0),
            is_stopping: Cell::new(false),
            served: Cell::new(0),
            logins: Cell::new(0),
            opened: Cell::new(0),
            tsih: Cell::new(0),
        });
        node.units.iter().for_each(|unit| unit.connect(&node));
        node
    }

    pub(crate) fn units(&self) -> &[Rc<Unit>] {
        &self.units
    }

    /// The logical unit at an address.
    #[inline]
    pub(crate) fn unit(&self, lun: Lun) -> Option<&Rc<Unit>> {
        let number = lun.number()?;
        self.units.iter().find(|unit| u32::from(unit.number) == number)
    }

    #[inline]
    pub(crate) fn unit_at(&self, index: u16) -> Option<&Rc<Unit>> {
        self.units.get(usize::from(index))
    }

    /// All logical units, by number.
    pub(crate) fn luns(&self) -> Vec<Lun> {
        self.units.iter().map(|unit| Lun::flat(unit.number)).collect()
    }

    /// What a session may see.
    pub(crate) fn directory(&self, key: &SessionKey) -> Rc<Directory> {
        self.directory_of(key.portal_group)
    }

    /// What may be seen through a portal group.
    pub(crate) fn directory_of(&self, portal_group: u16) -> Rc<Directory> {
        let directories = self.directories.borrow();
        Rc::clone(directories.get(&portal_group).expect("every portal group has a directory"))
    }

    /// A number for a new session, never 0 and of no living one.
    pub(crate) fn next_tsih(&self) -> u16 {
        loop {
            self.tsih.set(self.tsih.get().wrapping_add(1));
            let tsih = self.tsih.get();
            if tsih != 0 && self.connections(|c| c.tsih == tsih).is_empty() {
                return tsih;
            }
        }
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

    /// A connection enters full-feature phase.
    pub(crate) fn insert(&self, make: impl FnOnce(u32) -> Connection) -> Rc<Connection> {
        let mut connections = self.connections.borrow_mut();
        let free = connections.iter().position(Option::is_none);
        let index = free.unwrap_or(connections.len());
        let connection = Rc::new(make(index as u32));
        if index == connections.len() {
            connections.push(None);
        }
        connections[index] = Some(Rc::clone(&connection));
        drop(connections);
        self.changed.changed();
        connection
    }

    /// A connection is over.
    pub(crate) fn remove(&self, connection: &Connection) {
        self.forget(connection);
        self.changed.changed();
    }

    /// A connection is not in the table, or not any more.
    pub(crate) fn forget(&self, connection: &Connection) {
        let mut connections = self.connections.borrow_mut();
        let Some(place) = connections.get_mut(connection.index as usize) else { return };
        if place.as_ref().is_some_and(|there| std::ptr::eq(&**there, connection)) {
            *place = None;
        }
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

    /// Memory may have come back: who waits for some tries again. Not to be called from within a
    /// connection.
    #[inline]
    pub(crate) fn memory_changed(&self) {
        if self.shared.take_freed() {
            if !self.starved.borrow().is_empty() {
                self.feed_starved();
            }
            self.memory.changed();
        }
    }

    /// Starts reads that waited for memory: those of a session that has its share wait on, a
    /// shortage of the arena ends it for now.
    #[cold]
    fn feed_starved(&self) {
        let mut waiting = std::mem::take(&mut *self.starved.borrow_mut());
        let mut kept = VecDeque::new();
        while let Some((index, task)) = waiting.pop_front() {
            match self.try_feed(index, task) {
                Ok(()) => {}
                Err(Shortage::Session) => kept.push_back((index, task)),
                Err(Shortage::Arena) => {
                    kept.push_back((index, task));
                    break;
                }
            }
        }
        kept.append(&mut waiting);
        let mut starved = self.starved.borrow_mut();
        kept.append(&mut starved);
        *starved = kept;
    }

    fn try_feed(&self, index: u32, task: TaskId) -> Result<(), Shortage> {
        let Some(connection) = self.connection(index) else { return Ok(()) };
        let mut inner = connection.inner.borrow_mut();
        let Some(slot) = inner.slots.get(usize::from(task.slot())) else { return Ok(()) };
        if slot.task != Some(task) || slot.stage != Stage::Starved {
            return Ok(());
        }
        let unit = self.unit_at(slot.unit).expect("a read has a unit");
        connection.try_read(&mut inner, unit, task)
    }
}

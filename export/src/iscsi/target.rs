//! A target node from the outside: start it, look at it, stop it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use byway_engine::core::{Core, Polled};
use byway_engine::error::SetupError;
use byway_engine::exec::{Class, JoinHandle};
use byway_engine::net::{Address, ListenOptions, Listener};
use byway_proto::iscsi::login::{
    Access, Authentication, Directory, Host, Presence, TargetAddress, TargetEntry,
};
use byway_proto::iscsi::pdu::AsyncEvent;
use byway_proto::scsi::Lun;

use super::config::{PortalConfig, TargetConfig, UNIT_NUMBER_MAX, UNITS_MAX};
use super::housekeeping;
use super::node::{Node, Parts};
use super::serve::serve;
use super::stats::SessionStats;
use super::unit::{Unit, describe};
use crate::race;

/// The pause between two connections, in nanoseconds: with it those that come and go in a loop cost the
/// others little, and a thousand are still here within a fraction of a second.
const NEXT_NS: u64 = 100_000;
/// How long a listener that failed is left alone, in nanoseconds.
const PAUSE_NS: u64 = 100_000_000;

/// Access for every initiator, by its name alone.
#[must_use]
pub fn open_to_everyone() -> Access {
    Access::Anyone(Authentication::None)
}

/// The iSCSI target: serves block devices to initiators.
pub struct Target;

impl Target {
    /// Listens and serves on this core until it is stopped.
    ///
    /// # Errors
    /// Where a device, a portal, or the kept reservations cannot be opened; by the thing and the
    /// remedy.
    pub fn start(core: &Rc<Core>, config: TargetConfig) -> Result<TargetHandle, SetupError> {
        check(&config)?;
        let listeners = listen(core, &config.portals)?;
        let groups: Vec<u16> = groups_of(&config.portals);
        let units = open_units(core, &config, &groups)?;
        let directories = directories(&config, &listeners, &groups);
        let node = Node::new(
            core,
            Parts {
                limits: config.limits,
                operational: config.operational,
                faults: config.faults,
                entropy: config.entropy,
                state: config.state,
                units,
            },
        );
        *node.directories.borrow_mut() = directories;
        let polled: Vec<Rc<dyn Polled>> =
            node.units().iter().map(|unit| Rc::clone(unit) as Rc<dyn Polled>).collect();
        polled.iter().for_each(|unit| core.add_polled(Rc::clone(unit)));
        let addresses = listeners.iter().map(|l| l.local_address().clone()).collect();
        let mut tasks: Vec<_> = listeners
            .into_iter()
            .zip(&config.portals)
            .map(|(listener, portal)| {
                let accepting = accept(Rc::clone(&node), listener, portal.group);
                core.spawn(Class::Foreground, "iscsi-accept", accepting)
            })
            .collect();
        let keeping = housekeeping::run(Rc::clone(&node));
        tasks.push(core.spawn(Class::Background, "iscsi-housekeeping", keeping));
        Ok(TargetHandle { node, addresses, tasks: RefCell::new(tasks), polled })
    }
}

/// A target that runs. Dropping it stops the target without a word to its initiators.
pub struct TargetHandle {
    node: Rc<Node>,
    addresses: Vec<Address>,
    tasks: RefCell<Vec<JoinHandle<()>>>,
    polled: Vec<Rc<dyn Polled>>,
}

impl TargetHandle {
    /// Where it listens, in the order of the portals.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Its sessions.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionStats> {
        let stats = |connection: &Rc<super::connection::Connection>| {
            let inner = connection.inner.borrow();
            SessionStats {
                initiator: connection.key.initiator.clone(),
                isid: connection.key.isid,
                tsih: connection.tsih,
                portal_group: connection.key.portal_group,
                peer: connection.peer.clone(),
                tasks: inner.session.live_tasks(),
                held_bytes: inner.ledger.charged(),
                counts: inner.counts,
            }
        };
        self.node.connections(|_| true).iter().map(stats).collect()
    }

    /// Changes how the target appears at its portals from the next login on: moved, gone, or here.
    pub fn set_presence(&self, presence: &Presence) {
        for directory in self.node.directories.borrow_mut().values_mut() {
            let changed = Rc::make_mut(directory);
            changed.targets.values_mut().for_each(|entry| entry.presence = presence.clone());
        }
    }

    /// Stops: no more logins; initiators are asked to log out, and cut after the time that the limits
    /// give them; ends when the devices have nothing of theirs any more.
    pub async fn stop(self) {
        let node = &self.node;
        node.is_stopping.set(true);
        let accepting: Vec<_> = self.tasks.borrow_mut().drain(..).collect();
        accepting.iter().for_each(JoinHandle::abort);
        let within = node.limits.logout_ns.div_ceil(1_000_000_000).min(u64::from(u16::MAX)) as u16;
        for connection in node.connections(|_| true) {
            let event = AsyncEvent::LogoutRequested { within };
            connection.inner.borrow_mut().session.send_async(event, Lun::ZERO, &[]);
            connection.advance();
        }
        let is_over = || (node.served.get() == 0).then_some(());
        let in_time = node.core.sleep(node.limits.logout_ns);
        race::race(node.changed.until(is_over), in_time).await;
        // Whoever was in the middle of a login comes late and is cut too.
        let is_cut = || {
            node.connections(|_| true).iter().for_each(|connection| connection.kill());
            is_over()
        };
        node.changed.until(is_cut).await;
        // The portals are free for whoever comes next.
        for task in accepting {
            let _aborted = task.await;
        }
    }
}

impl Drop for TargetHandle {
    fn drop(&mut self) {
        self.node.is_stopping.set(true);
        self.tasks.borrow_mut().drain(..).for_each(|task| task.abort());
        self.node.connections(|_| true).iter().for_each(|connection| connection.kill());
        self.node.changed.changed();
        let node = Rc::clone(&self.node);
        let polled = std::mem::take(&mut self.polled);
        // The units are polled until the last request is back.
        let leaving = async move {
            let is_over = || (node.served.get() == 0).then_some(());
            node.changed.until(is_over).await;
            polled.iter().for_each(|unit| node.core.remove_polled(unit));
        };
        self.node.core.spawn(Class::Background, "iscsi-leave", leaving);
    }
}

async fn accept(node: Rc<Node>, listener: Listener, group: u16) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if node.served.get() < node.limits.connections_max => {
                node.served.set(node.served.get() + 1);
                let served = Served(Rc::clone(&node));
                let serving = async move {
                    serve(Rc::clone(&served.0), stream, group).await;
                    drop(served);
                };
                node.core.spawn(Class::Foreground, "iscsi-serve", serving);
                // Whoever connects in a loop takes turns with those who are here.
                node.core.sleep(NEXT_NS).await;
            }
            Ok((stream, _)) => {
                tracing::warn!(peer = %stream.peer_address(), "too many connections");
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                node.core.sleep(PAUSE_NS).await;
            }
        }
    }
}

/// Counts a connection while it is served.
struct Served(Rc<Node>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.served.set(self.0.served.get() - 1);
        self.0.changed.changed();
    }
}

fn check(config: &TargetConfig) -> Result<(), SetupError> {
    let target = || config.name.as_str().to_owned();
    if config.portals.is_empty() {
        return Err(SetupError::new(target(), "has no portal", "name an address to listen on"));
    }
    if config.units.is_empty() || config.units.len() > UNITS_MAX {
        let remedy = format!("serve 1 to {UNITS_MAX} devices");
        return Err(SetupError::new(target(), "has no or too many logical units", remedy));
    }
    let numbers: BTreeMap<u16, ()> = config.units.iter().map(|unit| (unit.number, ())).collect();
    let is_legal = numbers.len() == config.units.len()
        && numbers.keys().all(|number| *number <= UNIT_NUMBER_MAX);
    if !is_legal {
        let remedy = format!("give each its own number up to {UNIT_NUMBER_MAX}");
        return Err(SetupError::new(target(), "numbers of logical units collide", remedy));
    }
    Ok(())
}

fn listen(core: &Rc<Core>, portals: &[PortalConfig]) -> Result<Vec<Listener>, SetupError> {
    let bind = |portal: &PortalConfig| {
        Listener::bind(core, &portal.address, ListenOptions::default()).map_err(SetupError::from)
    };
    portals.iter().map(bind).collect()
}

fn groups_of(portals: &[PortalConfig]) -> Vec<u16> {
    let mut groups: Vec<u16> = portals.iter().map(|portal| portal.group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

fn open_units(
    core: &Rc<Core>,
    config: &TargetConfig,
    groups: &[u16],
) -> Result<Vec<Rc<Unit>>, SetupError> {
    let mut units = Vec::new();
    let mut ordered: Vec<_> = config.units.iter().collect();
    ordered.sort_by_key(|unit| unit.number);
    for (index, unit) in ordered.into_iter().enumerate() {
        let name = config.name.as_str();
        let (max, keeps) = (config.limits.transfer_max, config.state.is_some());
        let described = describe(unit, name, groups, max, keeps)?;
        let saved = match &config.state {
            Some(state) => state.load(unit.number.into())?,
            None => None,
        };
        let opened = Unit::open(core, index as u16, unit, described, saved.as_deref())?;
        units.push(Rc::new(opened));
    }
    Ok(units)
}

fn directories(
    config: &TargetConfig,
    listeners: &[Listener],
    groups: &[u16],
) -> BTreeMap<u16, Rc<Directory>> {
    let portals: Vec<TargetAddress> = listeners
        .iter()
        .zip(&config.portals)
        .filter_map(|(listener, portal)| portal.told.clone().or_else(|| told(listener, portal)))
        .collect();
    let entry = TargetEntry {
        alias: config.alias.clone(),
        access: config.access.clone(),
        presence: Presence::Here,
        portals,
    };
    let directory = |group: &u16| Directory {
        portal_group: *group,
        targets: BTreeMap::from([(config.name.clone(), entry.clone())]),
        discovery: config.discovery.clone(),
    };
    groups.iter().map(|group| (*group, Rc::new(directory(group)))).collect()
}

/// A portal by its own address; none for one that no other host can use.
fn told(listener: &Listener, portal: &PortalConfig) -> Option<TargetAddress> {
    let address = listener.local_address().as_tcp()?;
    let host = Host::Ip(address.ip());
    Some(TargetAddress { host, port: address.port(), portal_group: Some(portal.group) })
}

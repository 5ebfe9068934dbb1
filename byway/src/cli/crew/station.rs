//! What runs on one core: its part of the NBD servers, and the iSCSI targets that were given to it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use byway_engine::core::{Core, CoreCounters};
use byway_engine::error::SetupError;
use byway_engine::net::Address;
use byway_export::iscsi::{SessionStats, Target, TargetConfig, TargetHandle};
use byway_export::nbd::{Server, ServerConfig, ServerHandle, ServerStats};
use futures_util::future::join_all;

use super::group::{ExportPlan, GroupId};

/// One core's part of everything.
pub(crate) struct Station {
    pub(crate) core: Rc<Core>,
    /// Its number in the crew.
    pub(crate) number: usize,
    servers: RefCell<BTreeMap<GroupId, Rc<ServerHandle>>>,
    targets: RefCell<Vec<(String, TargetHandle)>>,
}

/// What one core has done.
pub(crate) struct CoreFacts {
    pub(crate) servers: Vec<(GroupId, ServerStats)>,
    pub(crate) targets: Vec<TargetFacts>,
    pub(crate) counters: CoreCounters,
}

/// One target of a core.
pub(crate) struct TargetFacts {
    pub(crate) name: String,
    pub(crate) addresses: Vec<Address>,
    pub(crate) sessions: Vec<SessionStats>,
}

impl Station {
    pub(super) fn new(core: &Rc<Core>, number: usize) -> Rc<Station> {
        let (core, servers, targets) = (Rc::clone(core), RefCell::default(), RefCell::default());
        Rc::new(Station { core, number, servers, targets })
    }

    /// Starts this core's part of a server; where it listens.
    pub(super) fn start_server(
        &self,
        id: GroupId,
        config: ServerConfig,
    ) -> Result<Vec<Address>, SetupError> {
        let server = Server::start(&self.core, config)?;
        let addresses = server.addresses().to_vec();
        let before = self.servers.borrow_mut().insert(id, Rc::new(server));
        assert!(before.is_none(), "each server has a number of its own");
        Ok(addresses)
    }

    /// Starts a target here; where it listens.
    pub(crate) fn start_target(&self, config: TargetConfig) -> Result<Vec<Address>, SetupError> {
        let name = config.name.as_str().to_owned();
        let target = Target::start(&self.core, config)?;
        let addresses = target.addresses().to_vec();
        self.targets.borrow_mut().push((name, target));
        Ok(addresses)
    }

    fn server(&self, id: GroupId) -> Option<Rc<ServerHandle>> {
        self.servers.borrow().get(&id).cloned()
    }

    /// One more export of a server.
    pub(super) fn add_export(&self, id: GroupId, export: &ExportPlan) -> Result<(), SetupError> {
        let server = self.server(id).expect("a server that serves more is there");
        server.add_export(export.config())
    }

    /// An export of a server less.
    pub(super) async fn remove_export(&self, id: GroupId, name: &str) {
        if let Some(server) = self.server(id) {
            server.remove_export(name).await;
        }
    }

    /// Ends this core's part of a server.
    pub(super) async fn stop_server(&self, id: GroupId) {
        let server = self.servers.borrow_mut().remove(&id);
        if let Some(server) = server {
            server.stop().await;
        }
    }

    /// Ends everything when clients have what they asked for.
    pub(crate) async fn stop(&self) {
        let servers = self.servers.take();
        let targets = self.targets.take();
        join_all(servers.values().map(|server| server.stop())).await;
        join_all(targets.into_iter().map(|(_, target)| target.stop())).await;
    }

    /// What it has done.
    pub(crate) fn facts(&self) -> CoreFacts {
        let of_target = |(name, target): &(String, TargetHandle)| TargetFacts {
            name: name.clone(),
            addresses: target.addresses().to_vec(),
            sessions: target.sessions(),
        };
        let servers = self.servers.borrow();
        CoreFacts {
            servers: servers.iter().map(|(id, server)| (*id, server.stats())).collect(),
            targets: self.targets.borrow().iter().map(of_target).collect(),
            counters: self.core.counters(),
        }
    }
}

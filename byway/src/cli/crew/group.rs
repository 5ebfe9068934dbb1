//! One NBD server on all cores: the first listens, and connections are spread over all of them.

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::block::BlockDevice;
use byway_engine::error::SetupError;
use byway_engine::net::Address;
use byway_export::nbd::{
    Door, ExportConfig, Guests, ListenOn, ServerConfig, ServerLimits, ServerTls, SharedRight,
};

use super::{Crew, Station, is_gone};

/// Names a server of the process.
pub(crate) type GroupId = u64;

/// One export, for any core.
#[derive(Clone)]
pub(crate) struct ExportPlan {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) device: Arc<dyn BlockDevice>,
    pub(crate) read_only: bool,
    pub(crate) right: Arc<SharedRight>,
}

impl ExportPlan {
    /// The export as a server on this core has it.
    pub(crate) fn config(&self) -> ExportConfig {
        let mut config = ExportConfig::new(&self.name, Arc::clone(&self.device));
        config.description.clone_from(&self.description);
        config.read_only |= self.read_only;
        config.right = self.right.handle();
        config
    }
}

/// One server, for any core.
#[derive(Clone)]
pub(crate) struct ServerPlan {
    pub(crate) exports: Vec<ExportPlan>,
    pub(crate) limits: ServerLimits,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) guests: Arc<Guests>,
}

impl ServerPlan {
    fn config(&self, listeners: Vec<ListenOn>, door: Door) -> ServerConfig {
        ServerConfig {
            listeners,
            exports: self.exports.iter().map(ExportPlan::config).collect(),
            limits: self.limits,
            tls: self.tls.clone(),
            door: Some(door),
        }
    }
}

impl Crew {
    /// Starts a server on all cores; where it listens.
    pub(crate) async fn start_server(
        &self,
        id: GroupId,
        listeners: Vec<ListenOn>,
        plan: &ServerPlan,
    ) -> Result<Vec<Address>, SetupError> {
        let started = self.start_parts(id, listeners, plan).await;
        if started.is_err() {
            self.stop_server(id).await;
        }
        started
    }

    /// The core that listens comes last, when all others can be given connections.
    async fn start_parts(
        &self,
        id: GroupId,
        listeners: Vec<ListenOn>,
        plan: &ServerPlan,
    ) -> Result<Vec<Address>, SetupError> {
        let doors = Door::of_cores(self.len(), &plan.guests);
        let mut listeners = Some(listeners);
        let mut addresses = Vec::new();
        for (number, door) in doors.into_iter().enumerate().rev() {
            let own = listeners.take_if(|_| number == 0).unwrap_or_default();
            let plan = plan.clone();
            let start = move |station: Rc<Station>| async move {
                station.start_server(id, plan.config(own, door))
            };
            addresses = self.ask(number, start).await.ok_or_else(|| is_gone(number))??;
        }
        Ok(addresses)
    }

    /// Ends a server on all cores.
    pub(crate) async fn stop_server(&self, id: GroupId) {
        self.ask_all(move |station| async move { station.stop_server(id).await }).await;
    }

    /// A server serves one more export, on all cores.
    pub(crate) async fn add_export(
        &self,
        id: GroupId,
        export: &ExportPlan,
    ) -> Result<(), SetupError> {
        let (name, export) = (export.name.clone(), export.clone());
        let add = move |station: Rc<Station>| async move { station.add_export(id, &export) };
        let mut answers = self.ask_all(add).await.into_iter().enumerate();
        let added =
            answers.try_for_each(|(number, answer)| answer.unwrap_or_else(|| Err(is_gone(number))));
        if added.is_err() {
            self.remove_export(id, &name).await;
        }
        added
    }

    /// A server serves an export no more, on any core.
    pub(crate) async fn remove_export(&self, id: GroupId, name: &str) {
        let name = name.to_owned();
        let remove = move |station: Rc<Station>| async move {
            station.remove_export(id, &name).await;
        };
        self.ask_all(remove).await;
    }
}

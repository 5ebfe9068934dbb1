//! Everything that a daemon runs: NBD servers, iSCSI targets, metrics and the control socket.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;

use byway::daemon::activation::Inherited;
use byway::daemon::config::{Config, TlsMode};
use byway::daemon::http::{Page, Server};
use byway::daemon::status::{DaemonStatus, METRICS_PATH, METRICS_TYPE, STATUS_PATH};
use byway_engine::core::Core;
use byway_engine::error::SetupError;
use byway_engine::net::Address;

use super::facts;
use super::open::{Devices, Opened, TargetPlan};
use super::servers::{self, Running, Starter};
use crate::cli::crew::{Crew, Station};
use crate::cli::place::uri;

/// What runs. Shared with the pages that tell of it.
pub(super) struct House {
    pub(super) core: Rc<Core>,
    pub(super) crew: Rc<Crew>,
    pub(super) started_ns: u64,
    pub(super) config: RefCell<Config>,
    pub(super) starter: Starter,
    pub(super) servers: RefCell<Vec<Rc<Running>>>,
    /// Where each target listens.
    targets: Vec<(String, Vec<Address>)>,
    pub(super) devices: RefCell<Devices>,
    /// The size of each export when it was opened.
    pub(super) sizes: RefCell<BTreeMap<String, u64>>,
}

/// A house, and those who ask about it.
pub(super) struct Open {
    pub(super) house: Rc<House>,
    pages: Vec<Server>,
}

impl House {
    pub(super) async fn start(
        core: &Rc<Core>,
        crew: &Rc<Crew>,
        config: Config,
        opened: Opened,
        inherited: Vec<Inherited>,
    ) -> Result<Open, SetupError> {
        let Opened { devices, targets, tls } = opened;
        let exports = servers::exports(&config.exports, &devices)?;
        let starter = Starter::new(crew, &config.limits, tls);
        let servers = starter.start(&config, &exports, inherited).await?;
        let house = Rc::new(House {
            core: Rc::clone(core),
            crew: Rc::clone(crew),
            started_ns: core.now(),
            servers: RefCell::new(servers.into_iter().map(Rc::new).collect()),
            targets: start_targets(crew, targets).await?,
            sizes: RefCell::new(sizes(&devices)),
            devices: RefCell::new(devices),
            config: RefCell::new(config),
            starter,
        });
        let pages = pages(&house)?;
        Ok(Open { house, pages })
    }
}

impl Open {
    /// URIs of everything that is served.
    pub(super) fn places(&self) -> Vec<String> {
        let mut places = Vec::new();
        let config = self.house.config.borrow();
        for server in self.house.servers.borrow().iter() {
            let is_served = |name: &str| server.only.as_deref().is_none_or(|only| only == name);
            for export in config.exports.iter().filter(|export| is_served(&export.name)) {
                let all = server.addresses.iter();
                places.extend(all.map(|at| uri(server.scheme(), at, &export.name)));
            }
        }
        for (name, addresses) in &self.house.targets {
            places.extend(addresses.iter().map(|at| format!("iscsi://{at}/{name}")));
        }
        let metrics = self.pages.iter().filter_map(|page| page.address().as_tcp());
        places.extend(metrics.map(|at| format!("http://{at}{METRICS_PATH}")));
        places
    }

    /// One line for the service manager.
    pub(super) fn summary(&self) -> String {
        let exports = self.house.config.borrow().exports.len();
        format!("{exports} exports, {} targets", self.house.targets.len())
    }

    /// Ends everything when clients have what they asked for.
    pub(super) async fn stop(self) {
        let Open { house, pages } = self;
        house.crew.ask_all(|station: Rc<Station>| async move { station.stop().await }).await;
        for page in pages {
            page.stop().await;
        }
    }
}

impl std::ops::Deref for Open {
    type Target = Rc<House>;

    fn deref(&self) -> &Rc<House> {
        &self.house
    }
}

/// Each target has one core, and with it all of its sessions; targets are dealt out to the cores.
async fn start_targets(
    crew: &Crew,
    plans: Vec<TargetPlan>,
) -> Result<Vec<(String, Vec<Address>)>, SetupError> {
    let mut started = Vec::new();
    for (nth, plan) in plans.into_iter().enumerate() {
        let name = plan.name().to_owned();
        let start = move |station: Rc<Station>| async move {
            station.start_target(plan.config(&station.core)?)
        };
        let number = nth % crew.len();
        let gone = || SetupError::new(&name, format!("core {number} has ended"), "see the log");
        let addresses = crew.ask(number, start).await.ok_or_else(gone)??;
        started.push((name, addresses));
    }
    Ok(started)
}

pub(super) fn sizes(devices: &Devices) -> BTreeMap<String, u64> {
    devices.iter().map(|(name, device)| (name.clone(), device.info().size)).collect()
}

/// Metrics where they are wanted, and the status for whoever may open the control socket.
fn pages(house: &Rc<House>) -> Result<Vec<Server>, SetupError> {
    let daemon = house.config.borrow().daemon.clone();
    let page = |path, content_type, text: fn(&DaemonStatus) -> String| {
        let house = Rc::downgrade(house);
        let make = move || {
            let house = house.upgrade();
            let text = async move {
                match house {
                    Some(house) => text(&facts::status(&house).await),
                    None => String::new(),
                }
            };
            Box::pin(text) as byway::daemon::http::Text
        };
        Page { path, content_type, make: Rc::new(make) }
    };
    let mut servers = Vec::new();
    if let Some(at) = daemon.metrics {
        let metrics = page(METRICS_PATH, METRICS_TYPE, DaemonStatus::metrics);
        servers.push(Server::start(&house.core, &at.value, vec![metrics])?);
    }
    if let Some(at) = daemon.control {
        let status = page(STATUS_PATH, "application/json", facts::json);
        let address = Address::Unix(at.value.clone());
        servers.push(Server::start(&house.core, &address, vec![status])?);
        fs::set_permissions(&at.value, fs::Permissions::from_mode(0o600)).map_err(|error| {
            let thing = at.value.display().to_string();
            SetupError::new(thing, error.to_string(), "own the folder it is in")
        })?;
    }
    Ok(servers)
}

impl Running {
    fn scheme(&self) -> &'static str {
        if self.tls == TlsMode::Required { "nbds" } else { "nbd" }
    }
}

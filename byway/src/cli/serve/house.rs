//! Everything that a daemon runs: NBD servers, iSCSI targets, metrics and the control socket.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;

use byway::daemon::activation::Inherited;
use byway::daemon::config::Config;
use byway::daemon::http::{Page, Server};
use byway::daemon::status::{METRICS_PATH, METRICS_TYPE, STATUS_PATH};
use byway_engine::core::Core;
use byway_engine::error::SetupError;
use byway_engine::net::Address;
use byway_export::iscsi::{Target, TargetHandle};
use byway_export::nbd::tls::TlsConfig;

use super::facts;
use super::open::{Devices, Opened};
use super::servers::{self, Running};
use crate::cli::place::uri;

/// What runs. Shared with the pages that tell of it.
pub(super) struct House {
    pub(super) core: Rc<Core>,
    pub(super) started_ns: u64,
    pub(super) config: RefCell<Config>,
    pub(super) tls: Option<TlsConfig>,
    pub(super) servers: RefCell<Vec<Rc<Running>>>,
    pub(super) targets: Vec<(String, TargetHandle)>,
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
    pub(super) fn start(
        core: &Rc<Core>,
        config: Config,
        opened: Opened,
        inherited: Vec<Inherited>,
    ) -> Result<Open, SetupError> {
        let Opened { devices, targets, tls } = opened;
        let exports = servers::exports(&config.exports, &devices)?;
        let servers = servers::start(core, &config, &exports, tls.as_ref(), inherited)?;
        let house = Rc::new(House {
            core: Rc::clone(core),
            started_ns: core.now(),
            servers: RefCell::new(servers.into_iter().map(Rc::new).collect()),
            targets: start_targets(core, targets)?,
            sizes: RefCell::new(sizes(&devices)),
            devices: RefCell::new(devices),
            config: RefCell::new(config),
            tls,
        });
        let pages = pages(&house)?;
        Ok(Open { house, pages })
    }
}

impl Open {
    /// URIs of everything that is served.
    pub(super) fn places(&self) -> Vec<String> {
        let mut places = Vec::new();
        for server in self.house.servers.borrow().iter() {
            let scheme = server.scheme();
            for export in server.handle.stats().exports {
                let all = server.handle.addresses().iter();
                places.extend(all.map(|at| uri(scheme, at, &export.name)));
            }
        }
        for (name, target) in &self.house.targets {
            places.extend(target.addresses().iter().map(|at| format!("iscsi://{at}/{name}")));
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
        let servers = house.servers.take();
        let stopping = servers.iter().map(|one| one.handle.stop());
        futures_util::future::join_all(stopping).await;
        drop(servers);
        for page in pages {
            page.stop().await;
        }
        // The pages are gone, and with them all others that hold the house.
        if let Some(house) = Rc::into_inner(house) {
            let stopping = house.targets.into_iter().map(|(_, target)| target.stop());
            futures_util::future::join_all(stopping).await;
        }
    }
}

impl std::ops::Deref for Open {
    type Target = Rc<House>;

    fn deref(&self) -> &Rc<House> {
        &self.house
    }
}

fn start_targets(
    core: &Rc<Core>,
    configs: Vec<byway_export::iscsi::TargetConfig>,
) -> Result<Vec<(String, TargetHandle)>, SetupError> {
    let start = |config: byway_export::iscsi::TargetConfig| {
        let name = config.name.as_str().to_owned();
        Target::start(core, config).map(|target| (name, target))
    };
    configs.into_iter().map(start).collect()
}

pub(super) fn sizes(devices: &Devices) -> BTreeMap<String, u64> {
    devices.iter().map(|(name, device)| (name.clone(), device.info().size)).collect()
}

/// Metrics where they are wanted, and the status for whoever may open the control socket.
fn pages(house: &Rc<House>) -> Result<Vec<Server>, SetupError> {
    let daemon = house.config.borrow().daemon.clone();
    let page = |path, content_type, text: fn(&House) -> String| {
        let house = Rc::downgrade(house);
        let make = move || house.upgrade().map_or_else(String::new, |house| text(&house));
        Page { path, content_type, make: Rc::new(make) }
    };
    let mut servers = Vec::new();
    if let Some(at) = daemon.metrics {
        let metrics = page(METRICS_PATH, METRICS_TYPE, |house| facts::status(house).metrics());
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
        if self.tls == byway::daemon::config::TlsMode::Required { "nbds" } else { "nbd" }
    }
}

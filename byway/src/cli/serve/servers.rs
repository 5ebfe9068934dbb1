//! The NBD servers of a daemon: one for all listeners with the same word about TLS, and one for each
//! export that has a listener of its own. Each is on all cores.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;
use std::sync::Arc;

use byway::Uri;
use byway::daemon::activation::Inherited;
use byway::daemon::config::{
    Config, ExportSection, LimitsSection, ListenPlace, ListenSection, TlsMode,
};
use byway_engine::error::SetupError;
use byway_engine::net::Address;
use byway_export::nbd::tls::TlsConfig;
use byway_export::nbd::{FileRight, Guests, ListenOn, ServerLimits, ServerTls, SharedRight};

use super::open::Devices;
use crate::cli::crew::{Crew, ExportPlan, GroupId, ServerPlan};

/// One server.
pub(super) struct Running {
    pub(super) id: GroupId,
    pub(super) addresses: Vec<Address>,
    /// The only export that it serves; all of them where there is none.
    pub(super) only: Option<String>,
    pub(super) tls: TlsMode,
}

/// What starts servers, and what all of them have in common.
pub(super) struct Starter {
    crew: Rc<Crew>,
    limits: ServerLimits,
    tls: Option<TlsConfig>,
    guests: Arc<Guests>,
    ids_ever: Cell<GroupId>,
}

/// What one server is to be.
struct Wanted<'a> {
    listens: Vec<&'a ListenSection>,
    listeners: Vec<ListenOn>,
    mode: TlsMode,
    only: Option<String>,
    exports: Vec<ExportPlan>,
}

impl Starter {
    pub(super) fn new(crew: &Rc<Crew>, limits: &LimitsSection, tls: Option<TlsConfig>) -> Starter {
        let guests = Guests::new(limits.connections, crew.len());
        let limits = ServerLimits {
            connections_max: limits.connections,
            requests_max: limits.requests,
            handshake_ns: limits.handshake_ns,
            drain_ns: limits.drain_ns,
            ..ServerLimits::default()
        };
        Starter { crew: Rc::clone(crew), limits, tls, guests, ids_ever: Cell::new(0) }
    }

    /// Starts the servers for all exports.
    pub(super) async fn start(
        &self,
        config: &Config,
        exports: &[ExportPlan],
        mut inherited: Vec<Inherited>,
    ) -> Result<Vec<Running>, SetupError> {
        let mut servers = Vec::new();
        for mode in [TlsMode::Off, TlsMode::Allowed, TlsMode::Required] {
            let listens = config.listens.iter().filter(|listen| listen.tls == mode);
            let listens: Vec<_> = listens.collect();
            if !listens.is_empty() {
                let listeners = listeners(&listens, self.tls.as_ref(), &mut inherited)?;
                let exports = exports.to_vec();
                let wanted = Wanted { listens, listeners, mode, only: None, exports };
                servers.push(self.one(wanted).await?);
            }
        }
        for section in &config.exports {
            servers.extend(self.of_export(section, exports).await?);
        }
        if let Some(socket) = inherited.first() {
            let thing = format!("socket '{}' of the service manager", socket.name);
            let remedy = format!("add [[listen]] with socket = \"{}\"", socket.name);
            return Err(SetupError::new(thing, "the configuration does not name it", remedy));
        }
        Ok(servers)
    }

    /// Starts the server of an export with a listener of its own.
    pub(super) async fn of_export(
        &self,
        section: &ExportSection,
        exports: &[ExportPlan],
    ) -> Result<Option<Running>, SetupError> {
        let Some(listen) = &section.listen else { return Ok(None) };
        let export = exports.iter().find(|export| export.name == section.name);
        let export = export.expect("every export is open").clone();
        let wanted = Wanted {
            listens: vec![listen],
            listeners: listeners(&[listen], self.tls.as_ref(), &mut Vec::new())?,
            mode: listen.tls,
            only: Some(section.name.clone()),
            exports: vec![export],
        };
        self.one(wanted).await.map(Some)
    }

    async fn one(&self, wanted: Wanted<'_>) -> Result<Running, SetupError> {
        let Wanted { listens, listeners, mode, only, exports } = wanted;
        let tls = self.tls.as_ref().filter(|_| mode != TlsMode::Off);
        let is_required = mode == TlsMode::Required;
        let plan = ServerPlan {
            exports,
            limits: self.limits,
            tls: tls.map(|config| ServerTls { config: config.clone(), is_required }),
            guests: Arc::clone(&self.guests),
        };
        let id = self.ids_ever.get();
        self.ids_ever.set(id + 1);
        let addresses = self.crew.start_server(id, listeners, &plan).await?;
        for listen in listens {
            set_mode(listen)?;
        }
        Ok(Running { id, addresses, only, tls: mode })
    }
}

fn listeners(
    listens: &[&ListenSection],
    tls: Option<&TlsConfig>,
    inherited: &mut Vec<Inherited>,
) -> Result<Vec<ListenOn>, SetupError> {
    let mut listeners = Vec::new();
    for listen in listens {
        match &listen.place {
            ListenPlace::Address(address) => listeners.push(ListenOn::Address(address.clone())),
            ListenPlace::Inherited(name) => {
                listeners.extend(take(name, listen.tls, tls, inherited)?);
            }
        }
    }
    Ok(listeners)
}

/// All sockets of that name. What a configuration may not open it may not take over either.
fn take(
    name: &str,
    mode: TlsMode,
    tls: Option<&TlsConfig>,
    inherited: &mut Vec<Inherited>,
) -> Result<Vec<ListenOn>, SetupError> {
    let found: Vec<_> = inherited.extract_if(.., |socket| socket.name == name).collect();
    let wrong =
        |problem: &str, remedy: &str| SetupError::new(format!("socket '{name}'"), problem, remedy);
    if found.is_empty() {
        let remedy = "start the daemon by its socket unit, with FileDescriptorName= that name";
        return Err(wrong("the service manager hands none over by that name", remedy));
    }
    let is_proved = mode == TlsMode::Required && tls.is_some_and(TlsConfig::requires_client);
    let is_exposed = |socket: &Inherited| {
        socket.tcp.is_some_and(|address| !address.ip().to_canonical().is_loopback())
    };
    if !is_proved && found.iter().any(is_exposed) {
        let remedy = "set tls = \"required\", and client_ca in [tls]";
        return Err(wrong("others can reach it without a client certificate", remedy));
    }
    Ok(found.into_iter().map(|socket| ListenOn::Inherited(socket.fd)).collect())
}

/// Lets others connect to a Unix socket where the configuration says so.
fn set_mode(listen: &ListenSection) -> Result<(), SetupError> {
    let ListenPlace::Address(Address::Unix(path)) = &listen.place else { return Ok(()) };
    fs::set_permissions(path, fs::Permissions::from_mode(listen.mode)).map_err(|error| {
        SetupError::new(path.display().to_string(), error.to_string(), "own the folder it is in")
    })
}

/// The exports of open devices, each with one right to write for all servers.
pub(super) fn exports(
    sections: &[ExportSection],
    devices: &Devices,
) -> Result<Vec<ExportPlan>, SetupError> {
    let export = |section: &ExportSection| {
        let device = devices.get(&section.name).expect("every export is open");
        let read_only = section.read_only || device.info().read_only;
        let file = match &section.uri.value {
            Uri::File { path, .. } if !read_only => Some(FileRight::new(path)?),
            _ => None,
        };
        Ok(ExportPlan {
            name: section.name.clone(),
            description: section.description.clone(),
            device: Arc::clone(device),
            read_only,
            right: SharedRight::new(file),
        })
    };
    sections.iter().map(export).collect()
}

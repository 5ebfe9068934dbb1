//! The NBD servers of a daemon: one for all listeners with the same word about TLS, and one for each
//! export that has a listener of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;

use byway::Uri;
use byway::daemon::activation::Inherited;
use byway::daemon::config::{
    Config, ExportSection, LimitsSection, ListenPlace, ListenSection, TlsMode,
};
use byway_engine::core::Core;
use byway_engine::error::SetupError;
use byway_engine::net::Address;
use byway_export::nbd::tls::TlsConfig;
use byway_export::nbd::{
    ExportConfig, FileRight, FreeRight, ListenOn, Server, ServerConfig, ServerHandle, ServerLimits,
    ServerTls, WriteRight,
};

use super::open::Devices;
use super::right::SharedRight;

/// One server.
pub(super) struct Running {
    pub(super) handle: ServerHandle,
    /// The only export that it serves; all of them where there is none.
    pub(super) only: Option<String>,
    pub(super) tls: TlsMode,
}

/// One export for several servers, with one right to write.
pub(super) struct Shared {
    config: ExportConfig,
    right: Rc<SharedRight>,
}

impl Shared {
    fn name(&self) -> &str {
        &self.config.name
    }

    /// The export as one server has it.
    pub(super) fn for_server(&self) -> ExportConfig {
        ExportConfig { right: self.right.handle(), ..self.config.clone() }
    }
}

/// Starts the servers for all exports.
pub(super) fn start(
    core: &Rc<Core>,
    config: &Config,
    exports: &[Shared],
    tls: Option<&TlsConfig>,
    mut inherited: Vec<Inherited>,
) -> Result<Vec<Running>, SetupError> {
    let mut servers = Vec::new();
    for mode in [TlsMode::Off, TlsMode::Allowed, TlsMode::Required] {
        let listens = config.listens.iter().filter(|listen| listen.tls == mode);
        let listens: Vec<_> = listens.collect();
        if !listens.is_empty() {
            let listeners = listeners(&listens, tls, &mut inherited)?;
            let own = (mode, None, exports.iter().map(Shared::for_server).collect());
            servers.push(one(core, &config.limits, &listens, listeners, tls, own)?);
        }
    }
    for section in &config.exports {
        servers.extend(of_export(core, &config.limits, section, exports, tls)?);
    }
    if let Some(socket) = inherited.first() {
        let thing = format!("socket '{}' of the service manager", socket.name);
        let remedy = format!("add [[listen]] with socket = \"{}\"", socket.name);
        return Err(SetupError::new(thing, "the configuration does not name it", remedy));
    }
    Ok(servers)
}

/// Starts the server of an export with a listener of its own.
pub(super) fn of_export(
    core: &Rc<Core>,
    limits: &LimitsSection,
    section: &ExportSection,
    exports: &[Shared],
    tls: Option<&TlsConfig>,
) -> Result<Option<Running>, SetupError> {
    let Some(listen) = &section.listen else { return Ok(None) };
    let export = exports.iter().find(|export| export.name() == section.name);
    let export = export.expect("every export is open").for_server();
    let listeners = listeners(&[listen], tls, &mut Vec::new())?;
    let own = (listen.tls, Some(section.name.clone()), vec![export]);
    one(core, limits, &[listen], listeners, tls, own).map(Some)
}

fn one(
    core: &Rc<Core>,
    limits: &LimitsSection,
    listens: &[&ListenSection],
    listeners: Vec<ListenOn>,
    tls: Option<&TlsConfig>,
    (mode, only, exports): (TlsMode, Option<String>, Vec<ExportConfig>),
) -> Result<Running, SetupError> {
    let server_tls = tls
        .filter(|_| mode != TlsMode::Off)
        .map(|config| ServerTls { config: config.clone(), is_required: mode == TlsMode::Required });
    let limits = ServerLimits {
        connections_max: limits.connections,
        requests_max: limits.requests,
        handshake_ns: limits.handshake_ns,
        drain_ns: limits.drain_ns,
        ..ServerLimits::default()
    };
    let config = ServerConfig { listeners, exports, limits, tls: server_tls };
    let handle = Server::start(core, config)?;
    for listen in listens {
        set_mode(listen)?;
    }
    Ok(Running { handle, only, tls: mode })
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
) -> Result<Vec<Shared>, SetupError> {
    let export = |section: &ExportSection| {
        let device = devices.get(&section.name).expect("every export is open");
        let mut export = ExportConfig::new(&section.name, device.clone());
        export.description.clone_from(&section.description);
        export.read_only |= section.read_only;
        let right: Rc<dyn WriteRight> = match &section.uri.value {
            Uri::File { path, .. } if !export.read_only => Rc::new(FileRight::new(path)?),
            _ => Rc::new(FreeRight),
        };
        Ok(Shared { config: export, right: SharedRight::new(right) })
    };
    sections.iter().map(export).collect()
}

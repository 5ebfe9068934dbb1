//! What the parts of a configuration have to do with each other.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::read::{is_local, is_local_address, shown};
use super::{Config, Finding, ListenPlace, ListenSection, TlsMode};
use crate::uri::Uri;
use byway_export::nbd::tls::ClientCertificates;

/// Everything that does not fit together.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    names(config, &mut findings);
    places(config, &mut findings);
    devices(config, &mut findings);
    for listen in listens(config) {
        listener(config, listen, &mut findings);
    }
    for target in &config.targets {
        let exposed = target.portals.iter().find(|portal| !is_local_address(&portal.value));
        if let Some(portal) = exposed.filter(|_| target.chap.is_none()) {
            let place = format!("target '{}': portals", shown(&target.name));
            let problem = format!("others than this host can reach {}", portal.value);
            findings.push(Finding::new(portal.line, place, problem, "add user and secret"));
        }
        if let Some(unix) = target.portals.iter().find(|portal| portal.value.as_tcp().is_none()) {
            let place = format!("target '{}': portals", shown(&target.name));
            let remedy = "use IP:PORT or [IPv6]:PORT";
            findings.push(Finding::new(unix.line, place, "iSCSI runs over TCP", remedy));
        }
    }
    if let Some(metrics) = config.daemon.metrics.as_ref().filter(|m| !is_local_address(&m.value)) {
        let problem = format!("others than this host can reach {}", metrics.value);
        let remedy = "use a Unix socket or 127.0.0.1, and a proxy where others read it";
        findings.push(Finding::new(metrics.line, "daemon: metrics", problem, remedy));
    }
    findings
}

/// Whether anything is served and somebody can reach it, where all of the configuration was read.
pub(super) fn is_of_use(config: &Config) -> Option<Finding> {
    if config.exports.is_empty() && config.targets.is_empty() {
        let remedy = "add an [[export]] or a [[target]]";
        return Some(Finding::new(1, "file", "nothing is served", remedy));
    }
    let hidden = config.exports.iter().find(|export| export.listen.is_none());
    let export = hidden.filter(|_| config.listens.is_empty())?;
    let place = format!("export '{}'", shown(&export.name));
    let remedy = "add a [[listen]] table, or listen = \"unix:/run/byway/disk.sock\"";
    Some(Finding::new(export.line, place, "nobody can reach it", remedy))
}

/// All NBD listeners, those of single exports included.
pub(super) fn listens(config: &Config) -> impl Iterator<Item = &ListenSection> {
    config.listens.iter().chain(config.exports.iter().filter_map(|export| export.listen.as_ref()))
}

fn names(config: &Config, findings: &mut Vec<Finding>) {
    let exports = config.exports.iter().map(|export| ("export", &export.name, export.line));
    let targets = config.targets.iter().map(|target| ("target", &target.name, target.line));
    let mut known = BTreeMap::new();
    for (kind, name, line) in exports.chain(targets) {
        match known.entry((kind, name)) {
            Entry::Vacant(entry) => {
                entry.insert(line);
            }
            Entry::Occupied(entry) => {
                let problem = format!("line {} has the same name", entry.get());
                let place = format!("{kind} '{}': name", shown(name));
                findings.push(Finding::new(line, place, problem, "give each a name of its own"));
            }
        }
    }
}

/// Each address can be listened on once; port 0 is another one each time.
fn places(config: &Config, findings: &mut Vec<Finding>) {
    let nbd = listens(config).map(|listen| (place_name(&listen.place), listen.line));
    let portals = config.targets.iter().flat_map(|target| &target.portals);
    let portals = portals.map(|portal| (portal.value.to_string(), portal.line));
    let metrics = config.daemon.metrics.iter().map(|at| (at.value.to_string(), at.line));
    let control = config.daemon.control.iter();
    let control = control.map(|at| (format!("unix:{}", at.value.display()), at.line));
    let mut known = BTreeMap::new();
    let all = nbd.chain(portals).chain(metrics).chain(control);
    for (name, line) in all.filter(|(name, _)| !name.ends_with(":0")) {
        if let Some(first) = known.insert(name.clone(), line) {
            let problem = format!("line {first} listens there too");
            findings.push(Finding::new(line.max(first), name, problem, "use another address"));
        }
    }
}

pub(super) fn place_name(place: &ListenPlace) -> String {
    match place {
        ListenPlace::Address(address) => address.to_string(),
        ListenPlace::Inherited(name) => format!("socket '{}'", shown(name)),
    }
}

/// A file that two of them write would be torn between them.
fn devices(config: &Config, findings: &mut Vec<Finding>) {
    let exports = config.exports.iter().map(|export| (&export.uri, export.read_only));
    let luns = config.targets.iter();
    let luns = luns.flat_map(|target| target.luns.iter().map(|lun| (lun, target.read_only)));
    let mut written: BTreeMap<String, usize> = BTreeMap::new();
    for (uri, read_only) in exports.chain(luns) {
        let path = match &uri.value {
            Uri::File { path, read_only: false, .. } if !read_only => path.display().to_string(),
            _ => continue,
        };
        if let Some(first) = written.insert(path.clone(), uri.line) {
            let problem = format!("line {first} serves it for writing too");
            let remedy = "serve it once, or read_only = true in one of them";
            findings.push(Finding::new(uri.line, format!("file {path}"), problem, remedy));
        }
    }
}

fn listener(config: &Config, listen: &ListenSection, findings: &mut Vec<Finding>) {
    let mut find = |problem: &str, remedy: &str| {
        let place = format!("listen {}", place_name(&listen.place));
        findings.push(Finding::new(listen.line, place, problem, remedy));
    };
    let tls = config.tls.as_ref().map(|at| &at.value);
    let proves = tls.is_some_and(|tls| {
        tls.client_ca.is_some() && tls.client_certificates == ClientCertificates::Required
    });
    if !is_local(&listen.place) && (listen.tls != TlsMode::Required || !proves) {
        find(
            "others than this host can reach it without a client certificate",
            "set tls = \"required\", and client_ca in [tls], or listen on 127.0.0.1 or a Unix socket",
        );
    } else if listen.tls != TlsMode::Off && tls.is_none() {
        find("TLS without a certificate", "add a [tls] table with certificate and key");
    }
}

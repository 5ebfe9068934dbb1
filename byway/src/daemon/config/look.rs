//! Whether this host has what a configuration names: processors, files, folders, certificates.

use std::fs::File;
use std::path::Path;

use byway_engine::error::SetupError;
use byway_export::nbd::tls::TlsConfig;

use super::read::shown;
use super::rules::{listens, place_name};
use super::{At, Config, Finding, ListenPlace, finding};
use crate::uri::Uri;

/// Everything that is not there or cannot be used. Reads files, changes nothing, opens no device
/// beyond this host.
#[must_use]
pub fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for export in &config.exports {
        let place = format!("export '{}': uri", shown(&export.name));
        device(&place, &export.uri, export.read_only, &mut findings);
    }
    processors(&config.daemon.cores, byway_engine::core::processors(), &mut findings);
    targets(config, &mut findings);
    sockets(config, &mut findings);
    if let Some(tls) = &config.tls {
        let read = TlsConfig::from_files(&tls.value);
        findings.extend(read.err().map(|error| of_setup(tls.line, "tls", error)));
    }
    finding::sort(&mut findings);
    findings
}

/// Cores that this host does not have, or that this process may not run on.
pub(super) fn processors(wanted: &At<Vec<usize>>, there: &[usize], findings: &mut Vec<Finding>) {
    for cpu in wanted.value.iter().filter(|cpu| !there.contains(cpu)) {
        let problem = format!("this process cannot run on core {cpu}");
        let names: Vec<_> = there.iter().map(ToString::to_string).collect();
        let remedy = format!("use some of {}", names.join(", "));
        findings.push(Finding::new(wanted.line, "daemon: cores", problem, remedy));
    }
}

fn targets(config: &Config, findings: &mut Vec<Finding>) {
    for target in &config.targets {
        let place = |key: &str| format!("target '{}': {key}", shown(&target.name));
        for lun in &target.luns {
            device(&place("luns"), lun, target.read_only, findings);
        }
        let secret = target.chap.as_ref().map(|(_, secret)| ("secret", secret));
        let mutual = target.mutual.as_ref().map(|secret| ("mutual", secret));
        for (key, file) in secret.into_iter().chain(mutual) {
            let read = crate::secret::read(&file.value);
            findings.extend(read.err().map(|error| of_setup(file.line, &place(key), error)));
        }
        if let Some(state) = target.state.as_ref().filter(|state| !state.value.is_dir()) {
            let problem = format!("{} is not a folder", state.value.display());
            let remedy = "make it, or name another one";
            findings.push(Finding::new(state.line, place("state"), problem, remedy));
        }
    }
}

fn sockets(config: &Config, findings: &mut Vec<Finding>) {
    let mut check = |line: usize, place: String, path: &Path| {
        let folder = path.parent().unwrap_or(Path::new("/"));
        if !folder.is_dir() {
            let problem = format!("the folder {} is not there", folder.display());
            findings.push(Finding::new(line, place, problem, "make it, or name another one"));
        }
    };
    for listen in listens(config) {
        if let ListenPlace::Address(byway_engine::net::Address::Unix(path)) = &listen.place {
            check(listen.line, format!("listen {}", place_name(&listen.place)), path);
        }
    }
    if let Some(control) = &config.daemon.control {
        check(control.line, "daemon: control".into(), &control.value);
    }
    if let Some(At { value: byway_engine::net::Address::Unix(path), line }) = &config.daemon.metrics
    {
        check(*line, "daemon: metrics".into(), path);
    }
}

/// Opens a file in the way that serving it would; other devices are not on this host.
fn device(place: &str, uri: &At<Uri>, read_only: bool, findings: &mut Vec<Finding>) {
    let Uri::File { path, read_only: never_written, .. } = &uri.value else { return };
    let writes = !read_only && !*never_written;
    let opened = File::options().read(true).write(writes).open(path);
    if let Err(error) = opened {
        let problem = format!("{}: {error}", path.display());
        let remedy = if writes {
            "make it, or let this user write it, or set read_only = true"
        } else {
            "make it, or let this user read it"
        };
        findings.push(Finding::new(uri.line, place, problem, remedy));
    }
}

fn of_setup(line: usize, place: &str, error: SetupError) -> Finding {
    Finding::new(line, place, format!("{}: {}", error.thing, error.problem), error.remedy)
}

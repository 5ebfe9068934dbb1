//! `byway config check`: everything that is wrong with a configuration, or what it would serve.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use byway::daemon::config::{
    CONFIG_LEN_MAX, Config, Finding, ListenPlace, ListenSection, TlsMode, look,
};
use serde::Serialize;

use super::args::ConfigArgs;
use super::failure::Failure;
use super::{output, text};

/// One thing that is served.
#[derive(Serialize)]
struct Served {
    kind: &'static str,
    name: String,
    devices: Vec<String>,
    at: Vec<String>,
    read_only: bool,
}

#[derive(Serialize)]
struct Json<'a> {
    file: String,
    ok: bool,
    findings: &'a [Finding],
    serves: Vec<Served>,
}

pub(crate) fn check(args: &ConfigArgs) -> Result<(), Failure> {
    let checked = read(&args.file)?;
    let (findings, serves) = match &checked {
        Ok(config) => (&[][..], served(config)),
        Err(findings) => (&findings[..], Vec::new()),
    };
    if args.json {
        let file = args.file.display().to_string();
        text::print_json(&Json { file, ok: findings.is_empty(), findings, serves })?;
    } else if findings.is_empty() {
        output::print(&table(&serves))?;
    }
    checked.map(drop).map_err(|findings| refuse(&args.file, &findings))
}

/// The configuration of a file, or everything that is wrong with it.
pub(crate) fn read(file: &Path) -> Result<Result<Config, Vec<Finding>>, Failure> {
    let cannot = |error: std::io::Error| {
        let remedy = "name a configuration that you may read";
        Failure::failed(format!("{}: {error}; {remedy}", file.display()))
    };
    let mut bytes = Vec::new();
    let limit = CONFIG_LEN_MAX as u64 + 1;
    File::open(file).and_then(|f| f.take(limit).read_to_end(&mut bytes)).map_err(cannot)?;
    let Ok(text) = String::from_utf8(bytes) else {
        let line = format!("{}: not text; is it the right file?", file.display());
        return Err(Failure::failed(line));
    };
    Ok(Config::parse(&text).and_then(|config| {
        let findings = look(&config);
        if findings.is_empty() { Ok(config) } else { Err(findings) }
    }))
}

/// Says all findings but the last, which becomes the failure: each is one line.
pub(crate) fn refuse(file: &Path, findings: &[Finding]) -> Failure {
    let line = |finding: &Finding| format!("{}:{finding}", file.display());
    let (last, others) = findings.split_last().expect("a configuration is refused for a reason");
    for finding in others {
        Failure::failed(line(finding)).say();
    }
    Failure::failed(line(last))
}

fn served(config: &Config) -> Vec<Served> {
    let common: Vec<_> = config.listens.iter().map(listen).collect();
    let exports = config.exports.iter().map(|export| Served {
        kind: "nbd",
        name: export.name.clone(),
        devices: vec![export.uri.value.to_string()],
        at: common.iter().cloned().chain(export.listen.iter().map(listen)).collect(),
        read_only: export.read_only,
    });
    let targets = config.targets.iter().map(|target| Served {
        kind: "iscsi",
        name: target.name.clone(),
        devices: target.luns.iter().map(|lun| lun.value.to_string()).collect(),
        at: target.portals.iter().map(|portal| portal.value.to_string()).collect(),
        read_only: target.read_only,
    });
    exports.chain(targets).collect()
}

fn listen(listen: &ListenSection) -> String {
    let place = match &listen.place {
        ListenPlace::Address(address) => address.to_string(),
        ListenPlace::Inherited(name) => format!("socket:{name}"),
    };
    match listen.tls {
        TlsMode::Off => place,
        TlsMode::Allowed => format!("{place} (TLS allowed)"),
        TlsMode::Required => format!("{place} (TLS)"),
    }
}

fn table(serves: &[Served]) -> String {
    let row = |one: &Served| {
        let access = if one.read_only { "read-only" } else { "read-write" };
        let name = if one.name.is_empty() { "(default)" } else { &one.name };
        let (devices, at) = (one.devices.join(", "), one.at.join(", "));
        vec![one.kind.into(), name.to_owned(), access.into(), devices, at]
    };
    let rows: Vec<_> = serves.iter().map(row).collect();
    text::table(&["KIND", "NAME", "ACCESS", "DEVICES", "AT"], &rows)
}

//! The keys of a configuration and what their words mean.

use std::path::PathBuf;

use byway_bench::words::{CORE_MAX, WordError, size, span_ns};
use byway_engine::core::PollMode;
use byway_engine::net::Address;
use byway_export::nbd::tls::{ClientCertificates, TlsFiles};
use byway_proto::iscsi::text::IscsiName;

use super::sheet::{Section, Sheet};
use super::{
    At, CONFIG_LEN_MAX, Config, DaemonSection, ExportSection, Finding, LimitsSection, ListenPlace,
    ListenSection, TargetSection, TlsMode,
};
use crate::uri::Uri;

/// Memory where nothing is said, in bytes; least and most.
const MEMORY: u64 = 256 << 20;
const MEMORY_MIN: u64 = 16 << 20;
const MEMORY_MAX: u64 = 64 << 30;
/// The longest names and descriptions of NBD (NBD, 'String values').
const NBD_TEXT_MAX: usize = 4096;

type Wrong = (String, String);

/// Reads what can be read; the findings say what could not.
pub(super) fn read(text: &str) -> (Option<Config>, Vec<Finding>) {
    if text.len() > CONFIG_LEN_MAX {
        let problem = format!("longer than {CONFIG_LEN_MAX} bytes");
        return (None, vec![Finding::new(1, "file", problem, "is it the right file?")]);
    }
    let sheet = Sheet::new(text);
    let table = sheet.table();
    let whole = Section::whole(&sheet, &table);
    let tls = whole.section("tls").and_then(tls);
    let config = Config {
        daemon: whole.section("daemon").map_or_else(default_daemon, daemon),
        limits: limits(whole.section("limits")),
        listens: whole.sections("listen").into_iter().filter_map(listen).collect(),
        exports: whole.sections("export").into_iter().filter_map(export).collect(),
        targets: whole.sections("target").into_iter().filter_map(target).collect(),
        tls,
    };
    whole.finish();
    drop(table);
    (Some(config), sheet.into_findings())
}

fn default_daemon() -> DaemonSection {
    DaemonSection {
        cores: At { value: Vec::new(), line: 0 },
        poll_mode: PollMode::Adaptive,
        memory: MEMORY,
        log: "info".into(),
        log_json: false,
        metrics: None,
        control: None,
    }
}

fn daemon(section: Section<'_, '_>) -> DaemonSection {
    let default = default_daemon();
    let cores = cores(&section);
    let found = DaemonSection {
        poll_mode: section.word("poll_mode", poll_mode).map_or(default.poll_mode, |w| w.value),
        memory: memory_of(&section, cores.value.len()),
        log: section.text("log").map_or(default.log, |text| text.value),
        log_json: section.word("log_format", log_format).is_some_and(|w| w.value),
        metrics: section.word("metrics", address),
        control: section.word("control", path),
        cores,
    };
    section.finish();
    found
}

fn cores(section: &Section<'_, '_>) -> At<Vec<usize>> {
    let found = section.numbers("cores");
    let line = found.as_ref().map_or(section.line, |cores| cores.line);
    let wrong = |problem: String| {
        let remedy = "name each once, such as [0, 1], or leave it out for one that runs anywhere";
        section.wrong(line, "cores", problem, remedy);
    };
    let mut value = Vec::new();
    for core in found.iter().flat_map(|cores| &cores.value) {
        match usize::try_from(*core) {
            Ok(core) if value.contains(&core) => wrong(format!("core {core} is named twice")),
            Ok(core) if core <= CORE_MAX => value.push(core),
            _ => wrong(format!("no host has a core {core}")),
        }
    }
    if found.is_some_and(|cores| cores.value.is_empty()) {
        wrong("none is named".into());
    }
    At { value, line }
}

/// Memory of all cores: each has to have enough.
fn memory_of(section: &Section<'_, '_>, cores: usize) -> u64 {
    let least = MEMORY_MIN * cores.max(1) as u64;
    let Some(found) = section.word("memory", memory) else { return MEMORY.max(least) };
    if found.value < least {
        let problem = format!("too little for {cores} cores");
        let remedy = format!("use {}m or more, which is 16m for each", least >> 20);
        section.wrong(found.line, "memory", problem, &remedy);
    }
    found.value
}

fn limits(section: Option<Section<'_, '_>>) -> LimitsSection {
    let default = LimitsSection {
        connections: 1024,
        requests: 128,
        handshake_ns: 10_000_000_000,
        drain_ns: 10_000_000_000,
    };
    let Some(section) = section else { return default };
    let span = |key, otherwise| section.word(key, span).map_or(otherwise, |word| word.value);
    let number = |key, most, otherwise: u32| {
        section.number(key, 1, most).map_or(otherwise, |number| number as u32)
    };
    let found = LimitsSection {
        connections: number("connections", 100_000, default.connections),
        requests: number("requests", 1024, default.requests),
        handshake_ns: span("handshake", default.handshake_ns),
        drain_ns: span("drain", default.drain_ns),
    };
    section.finish();
    found
}

fn tls(section: Section<'_, '_>) -> Option<At<TlsFiles>> {
    let certificate = section.required("certificate", "/etc/byway/server.pem");
    let key = section.required("key", "/etc/byway/server.key");
    let client_ca = section.text("client_ca").map(|file| PathBuf::from(file.value));
    let clients = section.word("client_certificates", client_certificates);
    let line = section.line;
    section.finish();
    let client_certificates = clients.map_or(ClientCertificates::Required, |word| word.value);
    let (certificate, key) = (certificate?.value.into(), key?.value.into());
    Some(At { value: TlsFiles { certificate, key, client_ca, client_certificates }, line })
}

fn listen(mut section: Section<'_, '_>) -> Option<ListenSection> {
    let address = section.word("address", address);
    let inherited = section.text("socket");
    if let Some(address) = &address {
        section.named(format!("listen {}", address.value));
    }
    let tls = section.word("tls", tls_mode).map(|word| word.value);
    let mode = section.word("mode", mode).map_or(0o600, |word| word.value);
    let line = section.line;
    let place = match (address, inherited) {
        (Some(address), None) => Some(ListenPlace::Address(address.value)),
        (None, Some(name)) => Some(ListenPlace::Inherited(name.value)),
        (None, None) => {
            let remedy = "add address = \"unix:/run/byway/nbd.sock\", or correct it";
            section.wrong(line, "address", "none that can be used", remedy);
            None
        }
        (Some(_), Some(name)) => {
            section.wrong(name.line, "socket", "an address is given too", "give one of both");
            None
        }
    };
    section.finish();
    let place = place?;
    let tls = tls.unwrap_or(if is_local(&place) { TlsMode::Off } else { TlsMode::Required });
    Some(ListenSection { line, place, tls, mode })
}

fn export(mut section: Section<'_, '_>) -> Option<ExportSection> {
    let name = section.required("name", "disk");
    if let Some(name) = &name {
        section.named(format!("export '{}'", shown(&name.value)));
        check_nbd_text(&section, "name", name);
    }
    let uri = section.required("uri", "file:/path");
    let uri = uri.and_then(|word| section.understood("uri", word.line, &word.value, uri_of));
    let description = section.text("description");
    if let Some(text) = &description {
        check_nbd_text(&section, "description", text);
    }
    let read_only = section.truth("read_only", false);
    let listen = section.word("listen", address).map(|address| {
        let place = ListenPlace::Address(address.value);
        let tls = if is_local(&place) { TlsMode::Off } else { TlsMode::Required };
        ListenSection { line: address.line, place, tls, mode: 0o600 }
    });
    let line = section.line;
    section.finish();
    let description = description.map_or_else(String::new, |text| text.value);
    Some(ExportSection { line, name: name?.value, uri: uri?, description, read_only, listen })
}

fn check_nbd_text(section: &Section<'_, '_>, key: &str, text: &At<String>) {
    if text.value.len() > NBD_TEXT_MAX {
        let problem = format!("longer than the {NBD_TEXT_MAX} bytes of the protocol");
        section.wrong(text.line, key, problem, "use a shorter one");
    }
    if text.value.chars().any(char::is_control) {
        section.wrong(text.line, key, "has control characters", "use letters and signs");
    }
}

fn target(mut section: Section<'_, '_>) -> Option<TargetSection> {
    let name = section.required("name", "iqn.2026-11.org.example:disk");
    if let Some(name) = &name {
        section.named(format!("target '{}'", shown(&name.value)));
        let _ = section.understood("name", name.line, &name.value, iscsi_name);
    }
    let portals = each(&section, "portals", address);
    let luns = each(&section, "luns", uri_of);
    let initiators = each(&section, "initiators", iscsi_name);
    let (user, secret) = (section.text("user"), section.word("secret", path));
    if user.is_some() != secret.is_some() {
        section.wrong(section.line, "user", "goes with secret", "give both or neither");
    }
    let found = TargetSection {
        line: section.line,
        name: name.map(|name| name.value).unwrap_or_default(),
        portals,
        luns,
        read_only: section.truth("read_only", false),
        digest: section.truth("digest", false),
        initiators: initiators.into_iter().map(|name| name.value).collect(),
        chap: user.zip(secret).map(|(user, secret)| (user.value, secret)),
        mutual: section.word("mutual", path),
        state: section.word("state", path),
    };
    for (key, is_empty) in [("portals", found.portals.is_empty()), ("luns", found.luns.is_empty())]
    {
        if is_empty {
            section.wrong(section.line, key, "none that can be used", "give a list of strings");
        }
    }
    section.finish();
    (!found.name.is_empty()).then_some(found)
}

fn each<T>(
    section: &Section<'_, '_>,
    key: &'static str,
    meaning: impl Fn(&str) -> Result<T, Wrong>,
) -> Vec<At<T>> {
    let words = section.texts(key).into_iter();
    words.filter_map(|word| section.understood(key, word.line, &word.value, &meaning)).collect()
}

/// True where only this host can reach it, or the service manager's configuration decides.
pub(super) fn is_local(place: &ListenPlace) -> bool {
    match place {
        ListenPlace::Address(address) => is_local_address(address),
        ListenPlace::Inherited(_) => true,
    }
}

/// True where only this host can reach it.
pub(super) fn is_local_address(address: &Address) -> bool {
    address.as_tcp().is_none_or(|address| address.ip().to_canonical().is_loopback())
}

/// A name as messages show it.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_debug).collect()
}

fn of_words(error: WordError) -> Wrong {
    (format!("{}: {}", error.word, error.problem), error.remedy)
}

fn one_of<T: Copy>(word: &str, all: &[(&str, T)]) -> Result<T, Wrong> {
    let found = all.iter().find(|(name, _)| *name == word);
    let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
    let wrong = || (format!("'{}' is not known", shown(word)), format!("use {}", names.join(", ")));
    found.map(|(_, value)| *value).ok_or_else(wrong)
}

fn poll_mode(word: &str) -> Result<PollMode, Wrong> {
    let all = [PollMode::Never, PollMode::Adaptive, PollMode::Always];
    one_of(word, &all.map(|mode| (mode.name(), mode)))
}

fn log_format(word: &str) -> Result<bool, Wrong> {
    one_of(word, &[("text", false), ("json", true)])
}

fn tls_mode(word: &str) -> Result<TlsMode, Wrong> {
    use TlsMode::{Allowed, Off, Required};
    one_of(word, &[("off", Off), ("allowed", Allowed), ("required", Required)])
}

fn client_certificates(word: &str) -> Result<ClientCertificates, Wrong> {
    use ClientCertificates::{Optional, Required};
    one_of(word, &[("required", Required), ("optional", Optional)])
}

fn memory(word: &str) -> Result<u64, Wrong> {
    let bytes = size(word).map_err(of_words)?;
    if (MEMORY_MIN..=MEMORY_MAX).contains(&bytes) {
        return Ok(bytes.next_multiple_of(2 << 20));
    }
    Err(("too little or too much".into(), "use 16m to 64g".into()))
}

fn span(word: &str) -> Result<u64, Wrong> {
    span_ns(word).map_err(of_words)
}

fn mode(word: &str) -> Result<u32, Wrong> {
    let mode = u32::from_str_radix(word, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| ("not a mode".into(), "use one such as 0660".into()))
}

fn address(word: &str) -> Result<Address, Wrong> {
    word.parse().map_err(|error: byway_engine::SetupError| (error.problem, error.remedy))
}

fn path(word: &str) -> Result<PathBuf, Wrong> {
    let path = PathBuf::from(word);
    if path.is_absolute() && !word.contains('\0') {
        return Ok(path);
    }
    Err(("not an absolute path".into(), "begin it with /".into()))
}

fn iscsi_name(word: &str) -> Result<String, Wrong> {
    let remedy = "write iqn.YYYY-MM.domain:name";
    IscsiName::new(word).map(|_| word.into()).map_err(|error| (error.to_string(), remedy.into()))
}

fn uri_of(word: &str) -> Result<Uri, Wrong> {
    word.parse().map_err(|error: crate::UriError| (error.problem, error.remedy))
}

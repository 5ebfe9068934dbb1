//! The configuration of a daemon, `byway.toml`: what it serves, where, and to whom.
//!
//! Reading happens in three steps, each of which finds all that is wrong in its own terms: `sheet.rs`
//! knows TOML and lines, `read.rs` the keys, `rules.rs` what the parts have to do with each other.
//! [`look`] then asks this host whether the files are there.

mod finding;
mod look;
mod read;
mod rules;
mod sheet;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use byway_engine::core::PollMode;
use byway_engine::net::Address;
use byway_export::nbd::tls::TlsFiles;

use crate::uri::Uri;

pub use finding::Finding;
pub use look::look;

/// The longest configuration, in bytes.
pub const CONFIG_LEN_MAX: usize = 1 << 20;
/// Exports, listeners and targets of one configuration, at most each.
pub const SECTIONS_MAX: usize = 1024;

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The process as a whole.
    pub daemon: DaemonSection,
    /// Bounds on what clients can make it do.
    pub limits: LimitsSection,
    /// Certificates and keys; the line of the table.
    pub tls: Option<At<TlsFiles>>,
    /// Where NBD clients of all exports connect.
    pub listens: Vec<ListenSection>,
    /// What NBD clients see.
    pub exports: Vec<ExportSection>,
    /// iSCSI targets.
    pub targets: Vec<TargetSection>,
}

/// A value, and the line that it stands on, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its line.
    pub line: usize,
}

/// `[daemon]`: the process as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct DaemonSection {
    /// The processors to run on, with a core on each; one core wherever the kernel puts it where there
    /// is none.
    pub cores: At<Vec<usize>>,
    /// Whether the cores spin when idle.
    pub poll_mode: PollMode,
    /// Memory for the data of all requests on all cores, in bytes.
    pub memory: u64,
    /// What to log: a level or a filter.
    pub log: String,
    /// How it is written.
    pub log_json: bool,
    /// Where metrics are asked for.
    pub metrics: Option<At<Address>>,
    /// The Unix socket for `byway status`.
    pub control: Option<At<PathBuf>>,
}

/// `[limits]`: bounds on what clients can make it do.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitsSection {
    /// NBD connections at once, over all listeners and cores.
    pub connections: u32,
    /// Requests that one NBD connection may have under way.
    pub requests: u32,
    /// How long a client may take to choose an export, in nanoseconds.
    pub handshake_ns: u64,
    /// How long requests under way may take when it stops, in nanoseconds.
    pub drain_ns: u64,
}

/// Whether NBD clients of a listener use TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// None can.
    Off,
    /// Those that want to do.
    Allowed,
    /// All must.
    Required,
}

/// `[[listen]]`: where NBD clients connect.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenSection {
    /// The line of the table.
    pub line: usize,
    /// Where it is.
    pub place: ListenPlace,
    /// Whether clients use TLS.
    pub tls: TlsMode,
    /// The mode of a Unix socket's file.
    pub mode: u32,
}

/// Where a listener comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenPlace {
    /// A socket of our own.
    Address(Address),
    /// A socket that the service manager hands over by this name.
    Inherited(String),
}

/// `[[export]]`: what NBD clients see.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportSection {
    /// The line of the table.
    pub line: usize,
    /// The name that clients ask for; empty for the one they get without asking.
    pub name: String,
    /// The device.
    pub uri: At<Uri>,
    /// What clients that list exports read.
    pub description: String,
    /// Nothing may be written.
    pub read_only: bool,
    /// A listener of its own, besides those of all.
    pub listen: Option<ListenSection>,
}

/// `[[target]]`: an iSCSI target.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetSection {
    /// The line of the table.
    pub line: usize,
    /// Its iSCSI name.
    pub name: String,
    /// Where it listens.
    pub portals: Vec<At<Address>>,
    /// Its logical units, from number 0 on.
    pub luns: Vec<At<Uri>>,
    /// Nothing may be written.
    pub read_only: bool,
    /// Ask for digests over headers and data.
    pub digest: bool,
    /// Who may log in; everyone where the list is empty.
    pub initiators: Vec<String>,
    /// Who logs in by CHAP, and the file of the secret.
    pub chap: Option<(String, At<PathBuf>)>,
    /// The file of the secret that the target proves itself with.
    pub mutual: Option<At<PathBuf>>,
    /// The folder that keeps reservations over restarts.
    pub state: Option<At<PathBuf>>,
}

impl Config {
    /// Reads a configuration; pure.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of lines.
    pub fn parse(text: &str) -> Result<Config, Vec<Finding>> {
        let (config, mut findings) = read::read(text);
        if let Some(config) = &config {
            let is_whole = findings.is_empty();
            findings.extend(rules::check(config));
            findings.extend(rules::is_of_use(config).filter(|_| is_whole));
        }
        finding::sort(&mut findings);
        match config {
            Some(config) if findings.is_empty() => Ok(config),
            _ => Err(findings),
        }
    }
}

//! What an NBD server is made of: where it listens, what it serves, and how much of it.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::block::BlockDevice;
use byway_engine::net::Address;

use super::doors::Door;
use super::right::{FreeRight, WriteRight};
use super::tls::TlsConfig;

/// The most requests of one connection at once.
pub const REQUESTS_MAX: u32 = 4096;

/// Where clients come in.
#[derive(Debug)]
pub enum ListenOn {
    /// A Unix socket or a TCP port that the server opens.
    Address(Address),
    /// A socket that listens already, as a service manager hands it in.
    Inherited(OwnedFd),
}

/// One device under one name.
#[derive(Clone)]
pub struct ExportConfig {
    /// The name that clients ask for. A client that names none gets the export of the empty name,
    /// or the first.
    pub name: String,
    /// A few words for people; empty for none.
    pub description: String,
    /// What is served.
    pub device: Arc<dyn BlockDevice>,
    /// Writes are refused.
    pub read_only: bool,
    /// Clients are told that they may use several connections: a flush covers all of them.
    pub multi_conn: bool,
    /// Who may write.
    pub right: Rc<dyn WriteRight>,
}

impl ExportConfig {
    /// The device under a name: writable, for several connections, and for nobody else.
    #[must_use]
    pub fn new(name: &str, device: Arc<dyn BlockDevice>) -> ExportConfig {
        ExportConfig {
            name: name.to_owned(),
            description: String::new(),
            read_only: device.info().read_only,
            device,
            multi_conn: true,
            right: Rc::new(FreeRight),
        }
    }
}

/// How much the server takes on. Times are in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at once, those in their handshake included, where this server counts its own.
    pub connections_max: u32,
    /// Requests of one connection at once, at most [`REQUESTS_MAX`]; the others wait in its socket.
    pub requests_max: u32,
    /// Bytes of data that one connection holds at once, or half of what is free where that is less;
    /// a single request may be longer.
    pub connection_bytes_max: u64,
    /// For how long a handshake may last.
    pub handshake_ns: u64,
    /// For how long a client may leave its replies unread, or its write unfinished, while others
    /// wait for the memory that it holds.
    pub stall_ns: u64,
    /// For how long a stop waits for clients to leave.
    pub drain_ns: u64,
}

impl Default for ServerLimits {
    fn default() -> ServerLimits {
        ServerLimits {
            connections_max: 4096,
            requests_max: 256,
            connection_bytes_max: 64 << 20,
            handshake_ns: 10_000_000_000,
            stall_ns: 2_000_000_000,
            drain_ns: 5_000_000_000,
        }
    }
}

/// TLS of a server.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// Its certificate, and whom it believes.
    pub config: TlsConfig,
    /// Whether a client without TLS is turned away.
    pub is_required: bool,
}

/// What a server is made of.
#[derive(Default)]
pub struct ServerConfig {
    /// Where it listens.
    pub listeners: Vec<ListenOn>,
    /// What it serves.
    pub exports: Vec<ExportConfig>,
    /// How much it takes on.
    pub limits: ServerLimits,
    /// TLS; clients are refused it where there is none.
    pub tls: Option<ServerTls>,
    /// The way to the same server on other cores: connections are spread over all of them, and counted
    /// together, so that the limit of connections is that of all. A server with a door may listen
    /// nowhere: it serves those that come in elsewhere.
    pub door: Option<Door>,
}

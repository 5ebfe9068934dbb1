//! From the URI of an export to what the NBD client is told.

use byway_engine::SetupError;
use byway_engine::net::Address;
use byway_export::nbd::client::NbdConfig;
use byway_proto::iscsi::login::TargetAddress;

use crate::uri::{NbdPlace, NbdUri};

/// What the client is told: hosts are looked up, which may wait.
///
/// # Errors
/// Where a host has no address.
pub fn config(uri: &NbdUri) -> Result<NbdConfig, SetupError> {
    let mut config = NbdConfig::new(address(&uri.place)?, &uri.export);
    config.name = uri.to_string();
    config.read_only = uri.read_only;
    config.depth = uri.depth.unwrap_or(config.depth);
    config.connections_max = uri.connections.unwrap_or(config.connections_max);
    config.reconnect_ns = uri.reconnect_s.map_or(config.reconnect_ns, |s| s * 1_000_000_000);
    config.silence_ns = uri.timeout_s.map_or(config.silence_ns, |s| s * 1_000_000_000);
    Ok(config)
}

/// Where a server listens; as [`config`] otherwise.
///
/// # Errors
/// As [`config`].
pub fn address(place: &NbdPlace) -> Result<Address, SetupError> {
    match place {
        NbdPlace::Unix(path) => Ok(Address::Unix(path.clone())),
        NbdPlace::Tcp(host, port) => crate::iscsi::resolve(&TargetAddress {
            host: host.clone(),
            port: *port,
            portal_group: None,
        }),
    }
}

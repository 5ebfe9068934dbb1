//! From the URI of a LUN to what the initiator is told.

use std::net::ToSocketAddrs;

use byway_engine::SetupError;
use byway_engine::net::Address;
use byway_iscsi_initiator::{ChapConfig, ChapPeer, Digests, IscsiConfig};
use byway_proto::iscsi::login::{Host, TargetAddress};
use byway_proto::iscsi::pdu::Isid;

use crate::secret;
use crate::uri::IscsiUri;

/// Where the kernel tells this host's name.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";
/// What stands before it in the name of this initiator (RFC 7143 section 4.2.7.3).
const NAME_PREFIX: &str = "iqn.2026-11.org.byway:";

/// What the initiator is told: hosts are looked up and secrets read, both of which may wait.
///
/// # Errors
/// Where a host has no address, or a file with a secret is not fit.
pub fn config(uri: &IscsiUri) -> Result<IscsiConfig, SetupError> {
    let portals = uri.portals.iter().map(resolve).collect::<Result<Vec<_>, _>>()?;
    let first = portals.first().cloned().expect("a URI has a portal");
    let mut config = IscsiConfig::new(first, &uri.target);
    config.name = uri.to_string();
    config.portals = portals;
    config.lun = uri.address();
    config.initiator_name = uri.initiator.clone().unwrap_or_else(initiator_name);
    config.digests = Digests { header: uri.header_digest, data: uri.data_digest };
    config.read_only = uri.read_only;
    if let Some(isid) = uri.isid {
        config.isid = Isid(isid);
    }
    if let Some(depth) = uri.depth {
        config.depth = depth;
    }
    config.chap = chap(uri)?;
    Ok(config)
}

fn chap(uri: &IscsiUri) -> Result<Option<ChapConfig>, SetupError> {
    let (Some(user), Some(file)) = (&uri.user, &uri.secret) else { return Ok(None) };
    let mut chap = ChapConfig::one_way(user, secret::read(file)?);
    if !uri.chap.is_empty() {
        chap.algorithms.clone_from(&uri.chap);
    }
    if let Some(file) = &uri.mutual {
        chap.peer = Some(ChapPeer { user: None, secret: secret::read(file)? });
    }
    Ok(Some(chap))
}

/// The name of this host as an initiator, where nothing else is told.
pub fn initiator_name() -> String {
    let host = std::fs::read_to_string(HOST_NAME).unwrap_or_default();
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let host: String = host.trim().chars().filter(fits).take(100).collect();
    let host = if host.is_empty() { "host".into() } else { host.to_ascii_lowercase() };
    format!("{NAME_PREFIX}{host}")
}

/// The first address of a portal's host.
///
/// # Errors
/// Where the name has none.
pub fn resolve(portal: &TargetAddress) -> Result<Address, SetupError> {
    let name = match &portal.host {
        Host::Ip(ip) => return Ok(Address::Tcp((*ip, portal.port).into())),
        Host::Name(name) => name,
    };
    let found = (name.as_str(), portal.port).to_socket_addrs();
    let first = found.map(|mut addresses| addresses.next());
    match first {
        Ok(Some(address)) => Ok(Address::Tcp(address)),
        Ok(None) => Err(SetupError::new(name, "it has no address", "write its address instead")),
        Err(error) => {
            Err(SetupError::new(name, error.to_string(), "check the name, or write its address"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Uri;

    #[test]
    fn a_uri_becomes_a_configuration() {
        let text = "iscsi://127.0.0.1:3261/iqn.2026-11.org.byway:disk/7?digest=data&depth=9";
        let Ok(Uri::Iscsi(uri)) = text.parse() else { panic!() };
        let config = config(&uri).unwrap();
        assert_eq!(config.portals, ["127.0.0.1:3261".parse().unwrap()]);
        assert_eq!(config.lun.number(), Some(7));
        assert_eq!((config.digests.data, config.depth), (true, 9));
        assert!(config.initiator_name.starts_with(NAME_PREFIX));
        assert_eq!(config.name, text);
    }
}

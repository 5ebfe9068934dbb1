//! TargetAddress: where a portal is (RFC 7143 section 13.8), in discovery and in redirects.
//!
//! `domainname[:port][,portal-group-tag]`; an IPv6 address stands in brackets. A redirect has no
//! portal group tag.

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

/// The port where none is named, assigned by IANA.
pub const PORT_DEFAULT: u16 = 3260;
/// The longest host name in bytes: with port and tag it still is a value that a text can carry.
const HOST_LEN_MAX: usize = 240;

/// A host by its address or its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
    /// A name to be looked up.
    Name(String),
}

/// One portal of a target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetAddress {
    /// The machine.
    pub host: Host,
    /// Its TCP port.
    pub port: u16,
    /// The portal group that the portal belongs to, where it was told.
    pub portal_group: Option<u16>,
}

impl TargetAddress {
    /// Reads the value of a TargetAddress key; nothing where it has another form.
    pub fn parse(text: &str) -> Option<TargetAddress> {
        let (place, portal_group) = match text.split_once(',') {
            Some((place, tag)) => (place, Some(parse_u16(tag)?)),
            None => (text, None),
        };
        let (host, port) = split_port(place)?;
        let port = port.map_or(Some(PORT_DEFAULT), parse_u16).filter(|port| *port != 0)?;
        Some(TargetAddress { host: parse_host(host)?, port, portal_group })
    }
}

/// Host and port. A bare IPv6 address (which some peers send) has more than one colon and no port.
fn split_port(place: &str) -> Option<(&str, Option<&str>)> {
    if let Some(bracketed) = place.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return if rest.is_empty() {
            Some((host, None))
        } else {
            Some((host, Some(rest.strip_prefix(':')?)))
        };
    }
    match place.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Some((place, None)),
        Some((host, port)) => Some((host, Some(port))),
        None => Some((place, None)),
    }
}

fn parse_host(host: &str) -> Option<Host> {
    if let Ok(ip) = host.parse() {
        return Some(Host::Ip(ip));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let is_legal = !host.is_empty() && host.len() <= HOST_LEN_MAX && host.chars().all(is_name);
    is_legal.then(|| Host::Name(host.into()))
}

/// Digits only: the standard parser would take a sign.
fn parse_u16(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

/// The value of the key.
impl fmt::Display for TargetAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)?;
        self.portal_group.map_or(Ok(()), |tag| write!(f, ",{tag}"))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_of_all_three_kinds_are_read() {
        for (text, written) in [
            ("10.0.0.1:3260,1", "10.0.0.1:3260,1"),
            ("10.0.0.1", "10.0.0.1:3260"),
            ("[fe80::1]:860,65535", "[fe80::1]:860,65535"),
            ("[::1]", "[::1]:3260"),
            ("::1,2", "[::1]:3260,2"),
            ("storage-1.example.com:5000", "storage-1.example.com:5000"),
        ] {
            assert_eq!(TargetAddress::parse(text).unwrap().to_string(), written, "{text}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            ":3260",
            "[::1",
            "[::1]3260",
            "[name]:1",
            "host:",
            "host:0",
            "host:+1",
            "host:70000",
            "host:1,",
            "host:1,70000",
            "host:1,2,3",
            "ho st",
            "[1.2.3.4]",
        ] {
            assert_eq!(TargetAddress::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(ip: IpAddr, port in 1u16.., portal_group: Option<u16>) {
            let address = TargetAddress { host: Host::Ip(ip), port, portal_group };
            prop_assert_eq!(TargetAddress::parse(&address.to_string()), Some(address));
        }

        #[test]
        fn any_text_is_survived(text in "\\PC{0,60}") {
            let _ = TargetAddress::parse(&text);
        }
    }
}

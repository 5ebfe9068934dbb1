//! `nbd://host[:port]/EXPORT` and `nbd+unix:///EXPORT?socket=/path`: an export by the NBD URI document.
//!
//! Pure; hosts are looked up when the device is opened. An export's name is what stands behind the
//! first slash, and may be empty.

use std::fmt;
use std::path::PathBuf;

use byway_proto::iscsi::login::{Host, TargetAddress};

use super::{Wrong, decode, decode_text, switch, wrong};

/// The port where none is written.
pub const NBD_PORT: u16 = 10809;
const OPTIONS: &str = "use socket=/PATH (nbd+unix), depth=N, connections=N, \
                       reconnect=SECONDS, timeout=SECONDS and readonly=on|off";
/// The longest wait for a lost connection or a silent server, in seconds.
const WAIT_S_MAX: u64 = 24 * 3600;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NbdPlace {
    /// A host and a port.
    Tcp(Host, u16),
    /// A Unix socket.
    Unix(PathBuf),
}

/// An export by its URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NbdUri {
    /// Where the server listens.
    pub place: NbdPlace,
    /// The export's name; empty for the server's default.
    pub export: String,
    /// Requests in flight of one connection.
    pub depth: Option<u16>,
    /// Connections at once.
    pub connections: Option<u32>,
    /// For how long requests wait for a lost connection, in seconds.
    pub reconnect_s: Option<u64>,
    /// For how long a server may be silent that owes replies, in seconds; 0 for ever.
    pub timeout_s: Option<u64>,
    /// Refuse writes.
    pub read_only: bool,
}

impl NbdUri {
    /// `export` of the server at `place`, with everything else as usual.
    #[must_use]
    pub fn new(place: NbdPlace, export: &str) -> NbdUri {
        NbdUri {
            place,
            export: export.to_owned(),
            depth: None,
            connections: None,
            reconnect_s: None,
            timeout_s: None,
            read_only: false,
        }
    }
}

/// Reads what stands behind `nbd:`, or behind `nbd+unix:` where `is_unix`.
pub(super) fn parse(rest: &str, is_unix: bool) -> Result<NbdUri, Wrong> {
    let Some(rest) = rest.strip_prefix("//") else {
        return wrong("no // behind the scheme", example(is_unix));
    };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(p, q)| (p, Some(q)));
    if place.contains('#') {
        return wrong("'#' in the export's name", "write it as %23");
    }
    let (authority, export) = place.split_once('/').unwrap_or((place, ""));
    let place = match (is_unix, authority) {
        (true, "") => NbdPlace::Unix(PathBuf::new()),
        (true, _) => return wrong("a host before the export of a Unix socket", example(true)),
        (false, authority) => tcp(authority)?,
    };
    let export = decode_text(export)?;
    if export.contains('\0') {
        return wrong("a zero byte in the export's name", "no export has such a name");
    }
    let mut uri = NbdUri::new(place, &export);
    query.into_iter().flat_map(|query| query.split('&')).try_for_each(|o| option(&mut uri, o))?;
    if matches!(&uri.place, NbdPlace::Unix(path) if path.as_os_str().is_empty()) {
        return wrong("no socket=", example(true));
    }
    Ok(uri)
}

/// Refuses what needs TLS.
pub(super) fn secure(scheme: &str) -> Wrong {
    let problem = format!("{scheme}: TLS is not supported by this client yet");
    (problem, "use nbd+unix, or nbd over a network that is trusted".to_owned())
}

fn example(is_unix: bool) -> &'static str {
    if is_unix { "write nbd+unix:///EXPORT?socket=/PATH" } else { "write nbd://host:10809/EXPORT" }
}

fn tcp(authority: &str) -> Result<NbdPlace, Wrong> {
    if authority.contains('@') {
        return wrong("a user before the host", "users are for TLS; leave it out");
    }
    let colon = authority.rfind(':').filter(|at| !authority[*at..].contains(']'));
    let (host, port) = match colon {
        Some(at) => (&authority[..at], number("port", &authority[at + 1..], 1, 65535)? as u16),
        None => (authority, NBD_PORT),
    };
    match TargetAddress::parse(host).filter(|address| address.portal_group.is_none()) {
        Some(address) => Ok(NbdPlace::Tcp(address.host, port)),
        None => wrong("a host that is no address", example(false)),
    }
}

fn option(uri: &mut NbdUri, option: &str) -> Result<(), Wrong> {
    match option.split_once('=') {
        Some(("socket", value)) => match &mut uri.place {
            NbdPlace::Unix(path) => *path = socket(value)?,
            NbdPlace::Tcp(..) => return wrong("socket= with a host", example(true)),
        },
        Some(("depth", value)) => uri.depth = Some(number("depth", value, 1, 1024)? as u16),
        Some(("connections", value)) => {
            uri.connections = Some(number("connections", value, 1, 1024)? as u32);
        }
        Some(("reconnect", value)) => {
            uri.reconnect_s = Some(number("reconnect", value, 0, WAIT_S_MAX)?);
        }
        Some(("timeout", value)) => {
            uri.timeout_s = Some(number("timeout", value, 0, WAIT_S_MAX)?);
        }
        Some(("readonly", value)) => uri.read_only = switch("readonly", value)?,
        Some((name, _)) if name.starts_with("tls-") => return Err(secure(name)),
        _ => return wrong(format!("the option '{option}' is not known"), OPTIONS),
    }
    Ok(())
}

fn socket(value: &str) -> Result<PathBuf, Wrong> {
    use std::os::unix::ffi::OsStringExt;
    let path = decode(value)?;
    if path.contains(&0) {
        return wrong("a socket of the abstract namespace", "use a socket with a path");
    }
    Ok(PathBuf::from(std::ffi::OsString::from_vec(path)))
}

fn number(what: &str, text: &str, min: u64, max: u64) -> Result<u64, Wrong> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse().ok().filter(|n| digits && (min..=max).contains(n)) {
        Some(number) => Ok(number),
        None => wrong(format!("{what} '{text}' is no such number"), format!("use {min} to {max}")),
    }
}

/// Text as it stands in an export's name: slashes stay.
fn encode(text: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:,+".contains(&byte);
    text.iter().try_for_each(|byte| match byte {
        byte if is_plain(*byte) => write!(f, "{}", char::from(*byte)),
        byte => write!(f, "%{byte:02X}"),
    })
}

impl fmt::Display for NbdUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::os::unix::ffi::OsStrExt;
        let mut sign = '?';
        let mut option = |f: &mut fmt::Formatter<'_>, name: &str| {
            let before = std::mem::replace(&mut sign, '&');
            write!(f, "{before}{name}=")
        };
        match &self.place {
            NbdPlace::Tcp(host, port) => {
                match host {
                    Host::Ip(std::net::IpAddr::V6(ip)) => write!(f, "nbd://[{ip}]")?,
                    Host::Ip(ip) => write!(f, "nbd://{ip}")?,
                    Host::Name(name) => write!(f, "nbd://{name}")?,
                }
                if *port != NBD_PORT {
                    write!(f, ":{port}")?;
                }
                f.write_str("/")?;
                encode(self.export.as_bytes(), f)?;
            }
            NbdPlace::Unix(path) => {
                f.write_str("nbd+unix:///")?;
                encode(self.export.as_bytes(), f)?;
                option(f, "socket")?;
                encode(path.as_os_str().as_bytes(), f)?;
            }
        }
        if let Some(depth) = self.depth {
            option(f, "depth")?;
            write!(f, "{depth}")?;
        }
        if let Some(connections) = self.connections {
            option(f, "connections")?;
            write!(f, "{connections}")?;
        }
        if let Some(seconds) = self.reconnect_s {
            option(f, "reconnect")?;
            write!(f, "{seconds}")?;
        }
        if let Some(seconds) = self.timeout_s {
            option(f, "timeout")?;
            write!(f, "{seconds}")?;
        }
        if self.read_only {
            option(f, "readonly")?;
            f.write_str("on")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::Uri;

    use super::*;

    fn nbd(text: &str) -> NbdUri {
        match text.parse() {
            Ok(Uri::Nbd(uri)) => *uri,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn exports_are_named_as_in_the_document() {
        for (text, export) in [
            ("nbd://example.com/disk", "disk"),
            ("nbd+unix:///disk?socket=sock", "disk"),
            ("nbd://example.com/", ""),
            ("nbd://example.com", ""),
            ("nbd://example.com//disk", "/disk"),
            ("nbd://example.com/hello%20world", "hello world"),
            ("nbd+unix://?socket=/a%20b", ""),
        ] {
            assert_eq!(nbd(text).export, export, "{text}");
        }
        assert_eq!(
            nbd("nbd://[::1]:99/x").place,
            NbdPlace::Tcp(Host::Ip("::1".parse().unwrap()), 99)
        );
        assert_eq!(nbd("nbd+unix:///?socket=/a%20b").place, NbdPlace::Unix("/a b".into()));
        let uri = nbd("nbd://h:7/x?depth=9&connections=2&reconnect=5&timeout=6&readonly=on");
        assert_eq!((uri.depth, uri.connections, uri.reconnect_s), (Some(9), Some(2), Some(5)));
        assert!(uri.read_only && uri.timeout_s == Some(6));
    }

    #[test]
    fn mistakes_name_the_remedy() {
        for (text, part) in [
            ("nbd:x", "write nbd://"),
            ("nbd:///x", "no address"),
            ("nbd://h:0/x", "port"),
            ("nbd://me@h/x", "user"),
            ("nbd://h/x?socket=/a", "socket="),
            ("nbd+unix:///x", "no socket="),
            ("nbd+unix://h/x?socket=/a", "a host"),
            ("nbd+unix:///x?socket=%00a", "abstract"),
            ("nbd://h/x?depth=0", "1 to 1024"),
            ("nbd://h/x?cache=on", "not known"),
            ("nbds://h/x", "not supported by this client yet"),
            ("nbds+unix:///x?socket=/a", "not supported by this client yet"),
            ("nbd://h/x?tls-type=x509", "not supported by this client yet"),
        ] {
            let message = text.parse::<Uri>().unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(
            export in "[^\0]{0,20}", path in "[^\0]{1,20}", is_unix: bool, read_only: bool,
            depth in prop::option::of(1u16..1024), reconnect_s in prop::option::of(0u64..1000),
            timeout_s in prop::option::of(0u64..1000),
        ) {
            let tcp = NbdPlace::Tcp(Host::Name("host".into()), 10809);
            let place = if is_unix { NbdPlace::Unix(path.into()) } else { tcp };
            let connections = None;
            let uri = NbdUri {
                place, export, depth, connections, reconnect_s, timeout_s, read_only,
            };
            prop_assert_eq!(nbd(&uri.to_string()), uri);
        }

        #[test]
        fn no_word_panics(word in "\\PC{0,40}") {
            crate::fuzz::uri(format!("nbd://{word}").as_bytes());
            crate::fuzz::uri(format!("nbd+unix:///{word}?socket=/a").as_bytes());
        }
    }
}

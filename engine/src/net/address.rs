//! Where a stream or a listener is: a TCP port or a Unix socket.
//!
//! Written `127.0.0.1:3260`, `[::1]:3260` or `unix:/run/byway.sock`; a path alone is a Unix socket
//! too. Names of hosts are resolved by [`Address::resolve`] alone, since that blocks.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

use socket2::SockAddr;

use crate::error::SetupError;

/// What is before the path of a Unix socket.
const UNIX: &str = "unix:";

/// The address of a stream socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket, by its path; empty for one without a name.
    Unix(PathBuf),
}

impl Address {
    /// The addresses that `text` stands for, where it may hold the name of a host. Asks the
    /// system's resolver and blocks: not for a reactor's thread.
    pub fn resolve(text: &str) -> Result<Vec<Address>, SetupError> {
        if let Ok(address) = text.parse() {
            return Ok(vec![address]);
        }
        let found = text.to_socket_addrs().map_err(|e| {
            SetupError::new(text, e.to_string(), "use HOST:PORT with a name that is known")
        })?;
        Ok(found.map(Address::Tcp).collect())
    }

    /// The kernel's form; fails for a path that is too long for it.
    pub(super) fn to_kernel(&self) -> io::Result<SockAddr> {
        match self {
            Address::Tcp(address) => Ok(SockAddr::from(*address)),
            Address::Unix(path) => SockAddr::unix(path),
        }
    }

    /// From the kernel's form; `None` for a family that is neither.
    pub(super) fn from_kernel(address: &SockAddr) -> Option<Address> {
        if address.is_unix() {
            let path = address.as_pathname().map(PathBuf::from);
            return Some(Address::Unix(path.unwrap_or_default()));
        }
        address.as_socket().map(Address::Tcp)
    }

    /// The address and port, where this is TCP.
    pub fn as_tcp(&self) -> Option<SocketAddr> {
        match self {
            Address::Tcp(address) => Some(*address),
            Address::Unix(_) => None,
        }
    }
}

impl FromStr for Address {
    type Err = SetupError;

    fn from_str(text: &str) -> Result<Address, SetupError> {
        if let Some(path) = text.strip_prefix(UNIX).or(text.starts_with('/').then_some(text)) {
            return unix(text, path);
        }
        let remedy = "use IP:PORT, [IPv6]:PORT or unix:/PATH";
        let wrong = || SetupError::new(format!("address \"{text}\""), "not an address", remedy);
        text.parse().map(Address::Tcp).map_err(|_| wrong())
    }
}

fn unix(text: &str, path: &str) -> Result<Address, SetupError> {
    let address = Address::Unix(PathBuf::from(path));
    let thing = || format!("address \"{text}\"");
    if path.is_empty() {
        return Err(SetupError::new(thing(), "the path is missing", "use unix:/PATH"));
    }
    match address.to_kernel() {
        Ok(_) => Ok(address),
        Err(_) => {
            let problem = "the path is longer than the 107 bytes of a Unix socket";
            Err(SetupError::new(thing(), problem, "use a shorter path"))
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_from_its_words() {
        for text in ["127.0.0.1:3260", "[::1]:0", "unix:/run/byway.sock"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            let kernel = address.to_kernel().unwrap();
            assert_eq!(Address::from_kernel(&kernel).unwrap(), address);
        }
        assert_eq!("/a".parse::<Address>().unwrap(), Address::Unix("/a".into()));
        assert_eq!("/a".parse::<Address>().unwrap().as_tcp(), None);
    }

    #[test]
    fn a_wrong_address_is_named_with_the_remedy() {
        for (text, says) in [
            ("localhost:80", "use IP:PORT"),
            ("127.0.0.1", "use IP:PORT"),
            ("127.0.0.1:65536", "use IP:PORT"),
            ("unix:", "the path is missing"),
            ("", "not an address"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(says) && error.contains(text), "{error}");
        }
        let long = format!("unix:/{}", "x".repeat(108));
        let error = long.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains("107 bytes") && error.contains("shorter"), "{error}");
    }

    #[test]
    fn a_name_is_resolved_on_demand() {
        let found = Address::resolve("localhost:80").unwrap();
        assert!(found.iter().all(|a| a.as_tcp().unwrap().port() == 80) && !found.is_empty());
        assert!(Address::resolve("no port").unwrap_err().to_string().contains("HOST:PORT"));
    }
}

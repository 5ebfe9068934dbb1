//! Sockets that a service manager has opened: `LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES`
//! (sd_listen_fds(3)).

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use byway_engine::error::SetupError;
use listenfd::ListenFd;

/// The name of a socket that was given none (sd_listen_fds(3)).
const NAMELESS: &str = "unknown";

/// A socket that listens already.
#[derive(Debug)]
pub struct Inherited {
    /// The name that the service manager gives it.
    pub name: String,
    /// The socket.
    pub fd: OwnedFd,
    /// Its address, where this is TCP.
    pub tcp: Option<SocketAddr>,
}

/// Takes all sockets that this process was started with; to be called once, before other threads
/// are there, since the variables go away with it.
///
/// # Errors
/// Where a descriptor is no stream socket that listens.
pub fn take() -> Result<Vec<Inherited>, SetupError> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut given = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..given.len() {
        let name = name_of(&names, index);
        let (fd, tcp) = take_one(&mut given, index).map_err(|problem| {
            let thing = format!("socket '{name}' of the service manager");
            SetupError::new(thing, problem, "use ListenStream= in the socket unit")
        })?;
        sockets.push(Inherited { name, fd, tcp });
    }
    Ok(sockets)
}

fn take_one(given: &mut ListenFd, index: usize) -> Result<(OwnedFd, Option<SocketAddr>), String> {
    let wrong = || "no TCP or Unix stream socket that listens".to_owned();
    if let Ok(Some(listener)) = given.take_tcp_listener(index) {
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        return Ok((listener.into(), Some(address)));
    }
    match given.take_unix_listener(index) {
        Ok(Some(listener)) => Ok((listener.into(), None)),
        _ => Err(wrong()),
    }
}

/// Names are separated by colons, in the order of the sockets.
fn name_of(names: &str, index: usize) -> String {
    let name = names.split(':').nth(index).filter(|name| !name.is_empty());
    name.unwrap_or(NAMELESS).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_order_of_the_sockets() {
        assert_eq!(name_of("nbd:metrics", 1), "metrics");
        assert_eq!(name_of("nbd::x", 1), NAMELESS);
        assert_eq!(name_of("", 0), NAMELESS);
        assert_eq!(name_of("nbd", 3), NAMELESS);
    }
}

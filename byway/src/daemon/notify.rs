//! Tells a service manager how the daemon is (sd_notify(3)): a datagram to the socket that
//! `NOTIFY_SOCKET` names. Without that variable nothing is told, and nothing is wrong.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It serves.
    Ready,
    /// It reads its configuration again; `Ready` follows.
    Reloading,
    /// It stops serving.
    Stopping,
    /// It is alive.
    Watchdog,
    /// A line for people.
    Status(String),
}

/// The way to the service manager, where there is one.
#[derive(Debug, Default)]
pub struct Notifier {
    to: Option<(UnixDatagram, SocketAddr)>,
    watchdog_ns: Option<u64>,
}

impl Notifier {
    /// As the environment says.
    ///
    /// # Errors
    /// Where `NOTIFY_SOCKET` names no socket that can be written to.
    pub fn from_environment() -> io::Result<Notifier> {
        let (usec, pid) = (env::var("WATCHDOG_USEC").ok(), env::var("WATCHDOG_PID").ok());
        let watchdog_ns = watchdog(usec.as_deref(), pid.as_deref(), std::process::id());
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(Notifier { to: None, watchdog_ns });
        };
        Notifier::to(&name).map(|notifier| Notifier { watchdog_ns, ..notifier })
    }

    /// To the socket of this name: a path, or with `@` in front an abstract name.
    ///
    /// # Errors
    /// Where it is neither.
    pub fn to(name: &OsStr) -> io::Result<Notifier> {
        let address = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
            [b'/', ..] => SocketAddr::from_pathname(OsString::from(name))?,
            _ => return Err(io::Error::other("neither a path nor an abstract name")),
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not stop the reactor.
        socket.set_nonblocking(true)?;
        Ok(Notifier { to: Some((socket, address)), watchdog_ns: None })
    }

    /// How often the manager wants to hear of us, in nanoseconds: half of the time after which it
    /// takes the daemon for dead.
    #[must_use]
    pub fn watchdog_every_ns(&self) -> Option<u64> {
        self.watchdog_ns.filter(|_| self.to.is_some()).map(|ns| ns / 2)
    }

    /// Tells it. A manager that does not take it is noted in the log; the daemon goes on.
    pub fn tell(&self, states: &[State]) {
        let Some((socket, address)) = &self.to else { return };
        if let Err(error) = socket.send_to_addr(message(states).as_bytes(), address) {
            tracing::debug!(%error, "the service manager does not listen");
        }
    }
}

fn message(states: &[State]) -> String {
    let lines = states.iter().map(|state| match state {
        State::Ready => "READY=1".into(),
        State::Reloading => "RELOADING=1".into(),
        State::Stopping => "STOPPING=1".into(),
        State::Watchdog => "WATCHDOG=1".into(),
        State::Status(text) => format!("STATUS={}", text.replace(['\n', '\r'], " ")),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The watchdog's time where it is meant for this process, in nanoseconds.
fn watchdog(usec: Option<&str>, pid: Option<&str>, own: u32) -> Option<u64> {
    let is_ours = pid.is_none_or(|pid| pid.parse() == Ok(own));
    let usec = usec?.parse::<u64>().ok().filter(|usec| *usec > 0 && is_ours)?;
    usec.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let len = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..len].to_vec()).unwrap()
    }

    #[test]
    fn a_manager_hears_what_is_told_on_both_kinds_of_sockets() {
        let name = format!("byway-notify-{}", std::process::id());
        let path = std::env::temp_dir().join(&name);
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let all = [
            (UnixDatagram::bind(&path).unwrap(), path.clone().into_os_string()),
            (UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}").into()),
        ];
        for (socket, name) in all {
            let notifier = Notifier::to(&name).unwrap();
            notifier.tell(&[State::Ready, State::Status("2 exports\nX=1".into())]);
            assert_eq!(heard(&socket), "READY=1\nSTATUS=2 exports X=1");
            notifier.tell(&[State::Stopping]);
            assert_eq!(heard(&socket), "STOPPING=1");
            drop(socket);
            notifier.tell(&[State::Watchdog]);
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_watchdog_for_another_process_is_none() {
        assert_eq!(watchdog(Some("2000"), None, 7), Some(2_000_000));
        assert_eq!(watchdog(Some("2000"), Some("7"), 7), Some(2_000_000));
        for (usec, pid) in [(Some("2000"), Some("8")), (Some("0"), None), (Some("x"), None)] {
            assert_eq!(watchdog(usec, pid, 7), None);
        }
        assert_eq!(watchdog(None, Some("7"), 7), None);
        assert!(Notifier::to(OsStr::new("relative")).is_err());
    }
}

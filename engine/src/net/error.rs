//! The error of streams and listeners: what failed, where, and what the caller must do about it.

use std::fmt;
use std::io;

use super::Address;
use crate::error::SetupError;

/// What the caller must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetErrorKind {
    /// Nobody listens there: start the server, or try again later.
    Refused,
    /// There is no way to that address: another path, or later.
    Unreachable,
    /// The peer ended the stream before everything was done: connect again.
    Closed,
    /// The stream was cut: connect again. What was sent may or may not have arrived.
    Reset,
    /// The peer did not answer in time: connect again, or take another path.
    TimedOut,
    /// Somebody else has the address: choose another one.
    InUse,
    /// The user may not do this.
    Permission,
    /// Descriptors, ports, buffers or requests are used up: use fewer, or raise the limit.
    Exhausted,
    /// This socket, kernel or core cannot do it.
    Unsupported,
    /// Anything else; the detail says what.
    Other,
}

impl NetErrorKind {
    /// The kind that an errno of a socket stands for.
    pub fn from_errno(errno: i32) -> Self {
        match errno {
            libc::ECONNREFUSED | libc::ENOENT => NetErrorKind::Refused,
            libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EHOSTDOWN => {
                NetErrorKind::Unreachable
            }
            libc::EPIPE | libc::ESHUTDOWN | libc::ENOTCONN => NetErrorKind::Closed,
            libc::ECONNRESET | libc::ECONNABORTED | libc::ENETRESET => NetErrorKind::Reset,
            libc::ETIMEDOUT => NetErrorKind::TimedOut,
            libc::EADDRINUSE => NetErrorKind::InUse,
            libc::EACCES | libc::EPERM => NetErrorKind::Permission,
            libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::EAGAIN => {
                NetErrorKind::Exhausted
            }
            libc::EOPNOTSUPP | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT | libc::ENOTSOCK => {
                NetErrorKind::Unsupported
            }
            _ => NetErrorKind::Other,
        }
    }

    /// What a person can do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            NetErrorKind::Refused => "start the server there, or correct the address",
            NetErrorKind::Unreachable => "check the route and the network's state",
            NetErrorKind::Closed => "see the peer's log, and connect again",
            NetErrorKind::Reset => "see the peer's log and the network, and connect again",
            NetErrorKind::TimedOut => "check that the peer is up and no firewall is between",
            NetErrorKind::InUse => "stop what uses it, or choose another address",
            NetErrorKind::Permission => "use a port above 1023, or correct the permissions",
            NetErrorKind::Exhausted => "use fewer connections, or raise the limit (ulimit -n)",
            NetErrorKind::Unsupported => "use another kind of address or socket",
            NetErrorKind::Other => "see the cause",
        }
    }
}

/// A failure of a stream or a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetError {
    /// What the caller must do.
    pub kind: NetErrorKind,
    /// Where: the peer of a stream, the address of a listener.
    pub address: String,
    /// The kernel's errno, where there is one.
    pub errno: Option<i32>,
    /// What happened, in words.
    pub detail: String,
}

impl NetError {
    /// An error of `kind` at `address`, with words.
    pub fn new(kind: NetErrorKind, address: &Address, detail: impl Into<String>) -> Self {
        NetError { kind, address: address.to_string(), errno: None, detail: detail.into() }
    }

    /// An error that the kernel reported with `errno` (positive) while `doing` something.
    pub fn from_errno(errno: i32, address: &Address, doing: &str) -> Self {
        let cause = io::Error::from_raw_os_error(errno);
        let kind = NetErrorKind::from_errno(errno);
        let detail = format!("{doing}: {cause}");
        NetError { kind, address: address.to_string(), errno: Some(errno), detail }
    }

    pub(super) fn from_io(error: &io::Error, address: &Address, doing: &str) -> Self {
        match error.raw_os_error() {
            Some(errno) => NetError::from_errno(errno, address, doing),
            None => NetError::new(NetErrorKind::Other, address, format!("{doing}: {error}")),
        }
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.address, self.detail, self.kind.remedy())
    }
}

impl std::error::Error for NetError {}

impl From<NetError> for SetupError {
    fn from(error: NetError) -> SetupError {
        SetupError::new(error.address, error.detail, error.kind.remedy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_with_address_cause_and_remedy() {
        let address = "127.0.0.1:9".parse().unwrap();
        let error = NetError::from_errno(libc::ECONNREFUSED, &address, "connect");
        assert_eq!(error.kind, NetErrorKind::Refused);
        let line = error.to_string();
        for part in ["127.0.0.1:9", "connect: Connection refused", "start the server"] {
            assert!(line.contains(part), "{line}");
        }
        assert!(!line.contains('\n'));
        assert_eq!(SetupError::from(error).to_string(), line);
    }
}

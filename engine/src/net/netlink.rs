//! A socket to the kernel itself: generic netlink, blocking, for rare requests off the data path.
//!
//! It belongs to a thread that may wait: the kernel answers a request while it sends it, and a
//! request may wait for I/O of a block device. A reactor's thread must not be that one where it
//! serves the device.

use std::io::{self, Read};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::request;
use crate::error::SetupError;

/// Bytes that hold any datagram of the kernel: a list in an attribute ends at 64 KiB.
pub const NETLINK_DATAGRAM_MAX: usize = 72 << 10;

/// A message of no family that asks for nothing (`NLMSG_NOOP`, in the machine's byte order): its
/// length of 16, its kind 1, and zeroes.
const NOTHING: [u8; 16] = {
    let (len, kind) = (16u32.to_ne_bytes(), 1u16.to_ne_bytes());
    [len[0], len[1], len[2], len[3], kind[0], kind[1], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
};

/// A netlink socket.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
}

impl Netlink {
    /// A socket of the protocol `NETLINK_GENERIC`, which speaks with the kernel alone.
    ///
    /// # Errors
    /// Where the kernel has no netlink, or the process no descriptor left.
    pub fn generic() -> Result<Netlink, SetupError> {
        let protocol = Protocol::from(libc::NETLINK_GENERIC);
        let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::DGRAM, Some(protocol));
        // The kernel gives a socket an address with its first message. One without takes part in no
        // multicast: it has the address of the kernel, and nobody hears himself.
        let socket = socket.and_then(|socket| socket.send(&NOTHING).map(|_| socket));
        let socket = socket.map_err(|cause| {
            let remedy = match cause.raw_os_error() {
                Some(libc::EMFILE | libc::ENFILE) => "raise the limit of open files (ulimit -n)",
                Some(libc::EPERM | libc::EACCES) => "allow netlink in the container's profile",
                _ => "use a kernel with CONFIG_NET and generic netlink",
            };
            SetupError::new("netlink", cause.to_string(), remedy)
        })?;
        Ok(Netlink { socket })
    }

    /// Listens to a multicast group, too.
    ///
    /// # Errors
    /// Of the kernel, such as one for a group that does not exist.
    pub fn join(&self, group: u32) -> io::Result<()> {
        request::join_netlink_group(&self.socket, group)
    }

    /// Sends one datagram to the kernel.
    ///
    /// # Errors
    /// Of the socket; how a request ended is said in its answer.
    pub fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send(datagram).map(|_| ())
    }

    /// Waits for a datagram, at most for `span`; `None` when none came, or a signal did.
    /// `buffer` should have [`NETLINK_DATAGRAM_MAX`] bytes: what is longer is cut off.
    ///
    /// # Errors
    /// ENOBUFS where notices were lost; else of the socket.
    pub fn receive(&self, buffer: &mut [u8], span: Duration) -> io::Result<Option<usize>> {
        // Zero would wait for ever.
        self.socket.set_read_timeout(Some(span.max(Duration::from_millis(1))))?;
        match (&self.socket).read(buffer) {
            Ok(len) => Ok(Some(len)),
            Err(e)
                if [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&e.kind()) =>
            {
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks the controller for a family: the length, kind 16, request and acknowledgement.
    fn question(name: &[u8; 8]) -> Vec<u8> {
        let words = [32u32.to_ne_bytes(), [0; 4], 7u32.to_ne_bytes(), [0; 4]].concat();
        let mut datagram = words;
        datagram[4..6].copy_from_slice(&16u16.to_ne_bytes());
        datagram[6..8].copy_from_slice(&5u16.to_ne_bytes());
        datagram.extend_from_slice(&[3, 1, 0, 0]);
        datagram.extend_from_slice(&[12u16, 2].map(u16::to_ne_bytes).concat());
        datagram.extend_from_slice(name);
        datagram
    }

    #[test]
    fn the_kernel_answers_and_silence_ends() {
        let Ok(netlink) = Netlink::generic() else { return };
        netlink.send(&question(b"nlctrl\0\0")).unwrap();
        let mut buffer = vec![0; NETLINK_DATAGRAM_MAX];
        let len = netlink.receive(&mut buffer, Duration::from_secs(10)).unwrap().unwrap();
        assert!(buffer[..len].windows(6).any(|window| window == b"nlctrl"));
        let acknowledged = netlink.receive(&mut buffer, Duration::from_secs(10)).unwrap();
        assert_eq!(acknowledged, Some(36), "an acknowledgement with the request's header");
        assert_eq!(netlink.receive(&mut buffer, Duration::ZERO).unwrap(), None);
    }

    #[test]
    fn a_group_that_does_not_exist_is_an_error() {
        let Ok(netlink) = Netlink::generic() else { return };
        assert!(netlink.join(u32::MAX).is_err());
        // The controller's own group.
        netlink.join(16).unwrap();
    }
}

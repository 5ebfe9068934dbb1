//! A connection to a server up to the point where the kernel can take it over.
//!
//! The kernel's driver understands simple replies alone, so nothing else is negotiated. What is set
//! on the socket stays with it: no time limits, since the driver sets its own; keep-alive, so that a
//! server whose host has vanished is noticed by links that have nothing to do.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::time::Duration;

use byway_engine::SetupError;
use byway_engine::net::{Address, NetErrorKind};
use byway_proto::nbd::client::{Handshake, HandshakeFailure, Opened};
use byway_proto::nbd::command::Command;
use byway_proto::nbd::flags::CommandFlags;
use byway_proto::nbd::request::Request;
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use super::Backend;

/// How long the server may take for each step of the handshake.
const STEP: Duration = Duration::from_secs(10);
/// A peer that is silent for so long is asked whether it is there, as often, so often apart.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 4;
/// `MSG_PEEK | MSG_DONTWAIT`.
const PEEK_AT_ONCE: i32 = 0x02 | 0x40;
/// The longest reply of a server, and more.
const BUFFER_LEN: usize = 64 << 10;

/// A connection behind its handshake.
#[derive(Debug)]
pub(super) struct Link {
    socket: Socket,
    /// What was agreed upon.
    pub(super) opened: Opened,
}

impl Link {
    /// The number of the socket in this process.
    pub(super) fn descriptor(&self) -> u32 {
        self.socket.as_raw_fd().cast_unsigned()
    }

    /// Whether the driver uses the socket: it sets its own time limit on those that it takes.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self.socket.write_timeout(), Ok(Some(_)))
    }

    /// Whether the server has ended the connection, or anything else has. Takes nothing away from
    /// the driver, which reads from the same socket.
    pub(super) fn has_ended(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        match self.socket.recv_with_flags(&mut byte, PEEK_AT_ONCE) {
            Ok(len) => len == 0,
            Err(cause) => cause.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Sends no more: the server answers what it has, and ends the connection.
    pub(super) fn end_sending(&self) {
        // Where it has ended already, there is nothing to end.
        let _ended = self.socket.shutdown(Shutdown::Write);
    }

    /// Ends the connection, whatever is in flight.
    pub(super) fn end(&self) {
        let _ended = self.socket.shutdown(Shutdown::Both);
    }

    /// Ends a connection that nobody has taken over, as the protocol wants it.
    pub(super) fn leave(mut self) {
        let (flags, command) = (CommandFlags::NONE, Command::Disconnect);
        let request = Request { flags, command, cookie: 0, offset: 0, len: 0 };
        // A server that has gone away needs no farewell.
        let _sent = self.socket.write_all(&request.encode_compact());
    }
}

/// Connects and shakes hands.
pub(super) fn dial(backend: &Backend) -> Result<Link, SetupError> {
    let failed = |doing: &str, cause: &io::Error| {
        let kind = NetErrorKind::from_errno(cause.raw_os_error().unwrap_or_default());
        let remedy = if is_timeout(cause) { NetErrorKind::TimedOut } else { kind }.remedy();
        SetupError::new(backend.to_string(), format!("{doing}: {cause}"), remedy)
    };
    let mut socket = connect(&backend.address).map_err(|cause| failed("connect", &cause))?;
    let opened = match shake(&mut socket, &backend.export) {
        Ok(opened) => opened,
        Err(Trouble::Io(cause)) => return Err(failed("handshake", &cause)),
        Err(Trouble::Refused(why)) => return Err(refused(backend, &why)),
    };
    let freed = socket.set_read_timeout(None).and_then(|()| socket.set_write_timeout(None));
    freed.map_err(|cause| failed("time limits", &cause))?;
    Ok(Link { socket, opened })
}

fn is_timeout(cause: &io::Error) -> bool {
    [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut].contains(&cause.kind())
}

fn connect(address: &Address) -> io::Result<Socket> {
    let (domain, name) = match address {
        Address::Tcp(tcp) => (Domain::for_address(*tcp), SockAddr::from(*tcp)),
        Address::Unix(path) => (Domain::UNIX, SockAddr::unix(path)?),
    };
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.set_read_timeout(Some(STEP))?;
    // Limits connecting to a Unix socket, too.
    socket.set_write_timeout(Some(STEP))?;
    if domain == Domain::UNIX {
        socket.connect(&name)?;
    } else {
        socket.connect_timeout(&name, STEP)?;
        socket.set_tcp_nodelay(true)?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE);
        let keepalive = keepalive.with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_PROBES);
        socket.set_tcp_keepalive(&keepalive)?;
    }
    Ok(socket)
}

enum Trouble {
    Io(io::Error),
    Refused(HandshakeFailure),
}

fn shake(socket: &mut Socket, export: &str) -> Result<Opened, Trouble> {
    let mut handshake = Handshake::simple(export).map_err(Trouble::Refused)?;
    let (mut buffer, mut filled) = (vec![0; BUFFER_LEN], 0);
    loop {
        socket.write_all(&handshake.output()).map_err(Trouble::Io)?;
        if let Some(opened) = handshake.opened() {
            if filled > 0 {
                return Err(Trouble::Refused(HandshakeFailure::Broken("it speaks unasked")));
            }
            return Ok(opened.clone());
        }
        let len = socket.read(&mut buffer[filled..]).map_err(Trouble::Io)?;
        if len == 0 {
            return Err(Trouble::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        filled += len;
        let used = handshake.handle_bytes(&buffer[..filled]).map_err(Trouble::Refused)?;
        buffer.copy_within(used..filled, 0);
        filled -= used;
    }
}

fn refused(backend: &Backend, why: &HandshakeFailure) -> SetupError {
    let remedy = match why {
        HandshakeFailure::NotNbd => "correct the address",
        HandshakeFailure::OldStyle => "use a server with the newstyle handshake",
        HandshakeFailure::TlsRequired => {
            "let it listen on a Unix socket or on loopback without TLS: the kernel has none here"
        }
        HandshakeFailure::UnknownExport => "correct the export's name: nbdinfo --list shows them",
        HandshakeFailure::Refused { .. } => "see the server's log",
        HandshakeFailure::Broken(_) => "see the server's log, or use another server",
    };
    SetupError::new(backend.to_string(), why.to_string(), remedy)
}

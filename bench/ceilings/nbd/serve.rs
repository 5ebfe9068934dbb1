//! The other end of the bare socket: a server that does no work. It answers a read with bytes that
//! are always the same and drops what is written, so that what remains is the socket. Requests that
//! have come together are answered in one gathered write. Each connection has a thread.

use std::io::{self, ErrorKind, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;

use super::messages::{send_all, word};
use super::{
    BUFFER_LEN, DISCONNECT, READ, REPLY_LEN, REPLY_MAGIC, REQUEST_LEN, REQUEST_MAGIC, SLICES_MAX,
    WRITE, fail, hello,
};
use crate::{pin, sockopt};

/// Bytes of the longest request (NBD, "Size constraints": what every client may send).
const LEN_MAX: usize = 32 << 20;

/// The server.
#[derive(Clone, Debug)]
pub struct NullServer {
    /// Where it listens; nothing may be there.
    pub socket: PathBuf,
    /// Bytes of its only export.
    pub size: u64,
    /// Ask for requests again and again in place of sleeping.
    pub spin: bool,
    /// The processor to pin its threads to.
    pub cpu: Option<usize>,
}

/// Serves until the process ends. Connections that end, well or not, leave others alone.
///
/// # Errors
/// Where it cannot listen.
pub fn serve(server: &NullServer) -> io::Result<()> {
    pin(server.cpu)?;
    let listener = UnixListener::bind(&server.socket)?;
    let zeros: Arc<[u8]> = vec![0; LEN_MAX].into();
    loop {
        let (socket, _) = listener.accept()?;
        let (zeros, server) = (Arc::clone(&zeros), server.clone());
        // A thread takes its place from the one that starts it. What ends a connection is the
        // client's to tell.
        std::thread::spawn(move || {
            let _ended = Connection::open(socket, &server, zeros).and_then(Connection::run);
        });
    }
}

struct Connection {
    socket: UnixStream,
    spinning: bool,
    zeros: Arc<[u8]>,
    buffer: Vec<u8>,
    filled: usize,
    skip: usize,
    /// Replies to send, each with so many bytes behind it.
    out: Vec<([u8; REPLY_LEN], usize)>,
    is_over: bool,
}

impl Connection {
    fn open(socket: UnixStream, server: &NullServer, zeros: Arc<[u8]>) -> io::Result<Connection> {
        sockopt::room_to_send(&socket)?;
        let is_over = !hello::greet(&socket, server.size)?;
        socket.set_nonblocking(server.spin)?;
        let (buffer, out) = (vec![0; BUFFER_LEN], Vec::new());
        let spinning = server.spin;
        Ok(Connection { socket, spinning, zeros, buffer, filled: 0, skip: 0, out, is_over })
    }

    fn run(mut self) -> io::Result<()> {
        while !self.is_over {
            self.receive()?;
            for part in self.out.chunks(SLICES_MAX / 2) {
                let slices = part.iter().flat_map(|(head, len)| [&head[..], &self.zeros[..*len]]);
                send_all(&self.socket, slices)?;
            }
            self.out.clear();
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        match (&self.socket).read(&mut self.buffer[self.filled..]) {
            Ok(0) => self.is_over = true,
            Ok(len) => self.filled += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock && self.spinning => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut at = self.skip.min(self.filled);
        self.skip -= at;
        while let Some(head) = self.buffer[at..self.filled].first_chunk::<REQUEST_LEN>().copied() {
            let behind = self.answer(&head)?;
            self.skip = (at + REQUEST_LEN + behind).saturating_sub(self.filled);
            at = (at + REQUEST_LEN + behind).min(self.filled);
        }
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(())
    }

    /// Puts the reply on the list; answers how many bytes of payload follow the request.
    fn answer(&mut self, head: &[u8; REQUEST_LEN]) -> io::Result<usize> {
        let (command, len) = (u16::from_be_bytes([head[6], head[7]]), word(head, 24) as usize);
        if word(head, 0) != REQUEST_MAGIC || len > LEN_MAX {
            return fail("a request with the wrong magic, or too long");
        }
        if command == DISCONNECT {
            self.is_over = true;
            return Ok(0);
        }
        // The error field stays zero, and the cookie goes back.
        let mut reply = [0; REPLY_LEN];
        reply[..4].copy_from_slice(&REPLY_MAGIC.to_be_bytes());
        reply[8..].copy_from_slice(&head[8..16]);
        self.out.push((reply, if command == READ { len } else { 0 }));
        Ok(if command == WRITE { len } else { 0 })
    }
}

//! Random reads or writes over one NBD connection on a Unix socket, with everything that helps:
//! requests of a batch leave in one gathered write, replies are read into one large buffer, and a
//! sleeping reader waits for the bytes of a whole batch. Replies are simple ones, the shortest that
//! there are; payload is skipped and the first error ends the run.
//! Source: NBD, "Transmission"; the numbers are offsets into its messages.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::{Figures, cpu_ns, pin, sockopt};

mod flush;
mod hello;
mod messages;
mod serve;

pub use flush::run_flushes;
pub use serve::{NullServer, serve};

/// Bytes of a request, and of a simple reply.
const REQUEST_LEN: usize = 28;
const REPLY_LEN: usize = 16;
const REQUEST_MAGIC: u32 = 0x2560_9513;
const REPLY_MAGIC: u32 = 0x6744_6698;
/// The commands: NBD, "Request types".
const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;
/// Bytes that are read at once; they stay in the processor's own cache.
const BUFFER_LEN: usize = 1 << 18;
/// What a gathered write takes (`IOV_MAX` is 1024).
const SLICES_MAX: usize = 1024;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Nbd {
    /// The server's socket.
    pub socket: PathBuf,
    /// The export's name; empty for the server's first.
    pub export: String,
    /// Writes in place of reads.
    pub write: bool,
    /// Ask for data again and again in place of sleeping.
    pub spin: bool,
    /// Requests in flight.
    pub qd: u32,
    /// Bytes of each request.
    pub bs: u32,
    /// How long is measured, after a tenth of it uncounted.
    pub runtime: Duration,
    /// The processor to pin the thread to.
    pub cpu: Option<usize>,
    /// Requests whose replies wake a sleeping reader.
    pub batch: u32,
}

struct Session {
    socket: UnixStream,
    command: u16,
    spinning: bool,
    /// What has come and is not parsed; the next `skip` bytes belong to a payload.
    buffer: Vec<u8>,
    filled: usize,
    skip: usize,
    /// What is to be sent: requests, each with `payload` behind it.
    out: Vec<[u8; REQUEST_LEN]>,
    payload: Vec<u8>,
    /// Bytes of a request, and of what comes behind a reply.
    bs: u32,
    answer: usize,
    /// Places of the export that a request can name.
    places: u64,
    in_flight: u32,
    done: u64,
    syscalls: u64,
    random: u64,
}

/// Runs the loop on this thread.
///
/// # Errors
/// Where nobody listens, nobody speaks fixed newstyle, or a server answers with an error.
pub fn run_nbd(ceiling: &Nbd) -> io::Result<Figures> {
    pin(ceiling.cpu)?;
    let mut session = Session::open(ceiling)?;
    session.spin(ceiling.qd, ceiling.runtime / 10)?;
    let (done, syscalls, cpu, start) = (session.done, session.syscalls, cpu_ns(), Instant::now());
    session.spin(ceiling.qd, ceiling.runtime)?;
    let elapsed = start.elapsed();
    let (ios, calls) = (session.done - done, session.syscalls - syscalls);
    let figures = Figures::of(ios, elapsed, cpu_ns() - cpu, calls);
    let ios = session.done;
    session.close().map(|()| Figures { ios, ..figures })
}

impl Session {
    fn open(ceiling: &Nbd) -> io::Result<Session> {
        let socket = UnixStream::connect(&ceiling.socket)?;
        sockopt::room_to_send(&socket)?;
        let size = hello::connect(&socket, &ceiling.export)?;
        let (bs, write) = (ceiling.bs, ceiling.write);
        if bs == 0 || ceiling.qd == 0 || size < bs.into() {
            return fail("no place for a request, or no request in flight");
        }
        let (payload, answer) = if write { (bs as usize, 0) } else { (0, bs as usize) };
        let batch = ceiling.batch.clamp(1, ceiling.qd.div_ceil(2));
        let awaited = (batch as usize - 1) * (REPLY_LEN + answer) + 1;
        sockopt::wake_by(&socket, awaited.min(BUFFER_LEN / 2))?;
        socket.set_nonblocking(ceiling.spin)?;
        Ok(Session {
            socket,
            command: if write { WRITE } else { READ },
            spinning: ceiling.spin,
            buffer: vec![0; BUFFER_LEN],
            filled: 0,
            skip: 0,
            out: Vec::with_capacity(ceiling.qd as usize),
            payload: vec![0x5a; payload],
            bs,
            answer,
            places: size / u64::from(bs),
            in_flight: 0,
            done: 0,
            syscalls: 0,
            random: 0x9e37_79b9_7f4a_7c15,
        })
    }

    fn spin(&mut self, qd: u32, span: Duration) -> io::Result<()> {
        let start = Instant::now();
        while start.elapsed() < span {
            while self.in_flight < qd {
                self.request();
            }
            self.send()?;
            self.receive()?;
        }
        Ok(())
    }
}

fn fail<T>(what: impl Into<String>) -> io::Result<T> {
    Err(io::Error::other(what.into()))
}

#[cfg(test)]
mod tests;

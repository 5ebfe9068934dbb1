//! Random reads or writes over one NBD connection on a Unix socket, with everything that helps:
//! requests of a batch leave in one gathered write, replies are read into one large buffer, and a
//! sleeping reader waits for the bytes of a whole batch. Replies are simple ones, the shortest that
//! there are; payload is skipped and the first error ends the run.
//! Source: NBD, "Transmission"; the numbers are offsets into its messages.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::{Figures, cpu_ns, pin, sockopt};

mod flush;
mod hello;
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
/// Where the socket cannot be reached, the server does not speak fixed newstyle, has no such
/// export or answers with an error.
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
    session.close()?;
    Ok(Figures { ios, ..figures })
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

    fn request(&mut self) {
        // A linear congruence (D. Knuth, MMIX); its high bits pick the place.
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let place = ((u128::from(self.random) * u128::from(self.places)) >> 64) as u64;
        self.out.push(request(self.command, place * u64::from(self.bs), self.bs));
        self.in_flight += 1;
    }

    fn send(&mut self) -> io::Result<()> {
        for part in self.out.chunks(SLICES_MAX / 2) {
            let slices = part.iter().flat_map(|head| [&head[..], &self.payload]);
            self.syscalls += send_all(&self.socket, slices)?;
        }
        self.out.clear();
        Ok(())
    }

    fn receive(&mut self) -> io::Result<()> {
        self.syscalls += 1;
        match (&self.socket).read(&mut self.buffer[self.filled..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(len) => self.filled += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock && self.spinning => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut at = self.skip.min(self.filled);
        self.skip -= at;
        while let Some(head) = self.buffer[at..self.filled].first_chunk::<REPLY_LEN>() {
            if (word(head, 0), word(head, 4)) != (REPLY_MAGIC, 0) {
                return fail(format!("magic {:#x}, error {}", word(head, 0), word(head, 4)));
            }
            (self.in_flight, self.done) = (self.in_flight - 1, self.done + 1);
            self.skip = (at + REPLY_LEN + self.answer).saturating_sub(self.filled);
            at = (at + REPLY_LEN + self.answer).min(self.filled);
        }
        self.buffer.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(())
    }

    /// Takes what is in flight, and says goodbye.
    fn close(mut self) -> io::Result<()> {
        sockopt::wake_by(&self.socket, 1)?;
        while self.in_flight > 0 {
            self.receive()?;
        }
        self.out.push(request(DISCONNECT, 0, 0));
        self.payload.clear();
        self.send()
    }
}

fn request(command: u16, offset: u64, len: u32) -> [u8; REQUEST_LEN] {
    let mut head = [0; REQUEST_LEN];
    head[..4].copy_from_slice(&REQUEST_MAGIC.to_be_bytes());
    head[6..8].copy_from_slice(&command.to_be_bytes());
    head[16..24].copy_from_slice(&offset.to_be_bytes());
    head[24..].copy_from_slice(&len.to_be_bytes());
    head
}

/// Sends all of the slices, waiting or not as the socket does; answers the system calls.
fn send_all<'a>(
    mut socket: &UnixStream,
    slices: impl Iterator<Item = &'a [u8]>,
) -> io::Result<u64> {
    let mut slices: Vec<_> = slices.filter(|s| !s.is_empty()).map(IoSlice::new).collect();
    let (mut slices, mut calls) = (&mut slices[..], 0);
    while !slices.is_empty() {
        calls += 1;
        match socket.write_vectored(slices) {
            Ok(sent) => IoSlice::advance_slices(&mut slices, sent),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(calls)
}

fn word(head: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(*head[at..].first_chunk().expect("the offset lies in the message"))
}

fn fail<T>(what: impl Into<String>) -> io::Result<T> {
    Err(io::Error::other(what.into()))
}

#[cfg(test)]
mod tests;

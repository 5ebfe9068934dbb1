//! Random reads or writes over one iSCSI connection with everything that helps: commands of a batch
//! leave in one gathered write, what comes is read into one large buffer, and a sleeping reader is
//! woken by the bytes of a whole batch. Payload is skipped and the first error ends the run.
//! The numbers are offsets into the basic header segment of RFC 7143, section 11.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::{Figures, cpu_ns, pin};

mod login;
mod pdus;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Iscsi {
    /// `host:port` of the portal.
    pub portal: String,
    /// The target's name.
    pub target: String,
    /// The logical unit.
    pub lun: u8,
    /// Writes in place of reads.
    pub write: bool,
    /// Ask for data again and again in place of sleeping.
    pub spin: bool,
    /// Commands in flight.
    pub qd: u32,
    /// Bytes of each command.
    pub bs: u32,
    /// How long is measured, after a tenth of it uncounted.
    pub runtime: Duration,
    /// The processor to pin the thread to.
    pub cpu: Option<usize>,
    /// Commands whose responses wake a sleeping reader.
    pub batch: u32,
}

type Header = [u8; 48];

struct Session {
    socket: TcpStream,
    lun: u8,
    write: bool,
    spinning: bool,
    /// What has come and is not parsed; the next `skip` bytes belong to a payload.
    buffer: Vec<u8>,
    filled: usize,
    skip: usize,
    /// What is to be sent: headers, each with so many bytes of `payload`.
    out: Vec<(Header, usize)>,
    payload: Vec<u8>,
    /// What a PDU may carry, and what comes with a command.
    segment: usize,
    immediate: usize,
    cmd_sn: u32,
    max_cmd_sn: u32,
    exp_stat_sn: u32,
    in_flight: u32,
    done: u64,
    syscalls: u64,
    random: u64,
    /// Places of the unit that a command can name, and blocks of each.
    places: u64,
    blocks: u32,
}

/// Runs the loop on this thread.
pub fn run_iscsi(ceiling: &Iscsi) -> io::Result<Figures> {
    pin(ceiling.cpu)?;
    let mut session = Session::open(ceiling)?;
    session.spin(ceiling.qd, ceiling.runtime / 10)?;
    let (done, syscalls, cpu, start) = (session.done, session.syscalls, cpu_ns(), Instant::now());
    session.spin(ceiling.qd, ceiling.runtime)?;
    let elapsed = start.elapsed();
    Ok(Figures::of(session.done - done, elapsed, cpu_ns() - cpu, session.syscalls - syscalls))
}

impl Session {
    fn spin(&mut self, qd: u32, span: Duration) -> io::Result<()> {
        let start = Instant::now();
        while start.elapsed() < span {
            while self.in_flight < qd && self.max_cmd_sn.wrapping_sub(self.cmd_sn) as i32 >= 0 {
                self.command();
            }
            self.send()?;
            self.receive()?;
        }
        Ok(())
    }

    fn command(&mut self) {
        let place = self.next_place();
        let (flags, operation) = if self.write { (0xa1, 0x8a) } else { (0xc1, 0x88) };
        let mut header = self.header(0x01, flags, self.immediate, self.cmd_sn);
        header[20..24].copy_from_slice(&(self.payload.len() as u32).to_be_bytes());
        header[32] = operation;
        header[34..42].copy_from_slice(&(place * u64::from(self.blocks)).to_be_bytes());
        header[42..46].copy_from_slice(&self.blocks.to_be_bytes());
        self.out.push((header, self.immediate));
        self.cmd_sn = self.cmd_sn.wrapping_add(1);
        self.in_flight += 1;
    }

    fn next_place(&mut self) -> u64 {
        // A linear congruence (D. Knuth, MMIX); its high bits pick the place.
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((u128::from(self.random) * u128::from(self.places)) >> 64) as u64
    }

    fn complete(&mut self, header: &Header) {
        self.exp_stat_sn = word(header, 24).wrapping_add(1);
        self.in_flight -= 1;
        self.done += 1;
    }

    fn handle(&mut self, header: &Header) -> io::Result<()> {
        self.max_cmd_sn = word(header, 32);
        match header[0] {
            0x21 | 0x25 if has_status(header) && (header[3] != 0 || header[1] & 6 != 0) => {
                return fail(format!("status {:#04x}, flags {:#04x}", header[3], header[1]));
            }
            0x21 | 0x25 if has_status(header) => self.complete(header),
            0x25 => {}
            0x20 if word(header, 20) != u32::MAX => self.answer_ping(header),
            0x20 => {}
            0x31 => self.answer_r2t(header),
            other => return fail(format!("a PDU with opcode {other:#04x}")),
        }
        Ok(())
    }
}

/// A response, or the last data with the status in it.
fn has_status(header: &Header) -> bool {
    matches!((header[0], header[1] & 1), (0x21, _) | (0x25, 1))
}

fn word(header: &Header, at: usize) -> u32 {
    u32::from_be_bytes(*header[at..].first_chunk().expect("the offset lies in the header"))
}

fn fail<T>(what: impl Into<String>) -> io::Result<T> {
    Err(io::Error::other(what.into()))
}

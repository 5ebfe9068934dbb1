//! One flush after the other, each timed, while another connection keeps writes in flight: what a
//! guest's journal waits for. Flushes cover the writes of all connections (NBD, "Flushing").

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::messages::request;
use super::{FLUSH, Nbd, Session};
use crate::{Figures, cpu_ns, pin};

/// How long the writer goes on until it looks whether it is to end.
const SLICE: Duration = Duration::from_millis(5);

/// Runs writer and flusher on two threads of the same processor; the figures are those of the
/// flushes.
///
/// # Errors
/// As [`super::run_nbd`].
pub fn run_flushes(ceiling: &Nbd) -> io::Result<Figures> {
    pin(ceiling.cpu)?;
    let writer = Session::open(&Nbd { write: true, ..ceiling.clone() })?;
    // A flush has no payload, and its reply neither.
    let one = Nbd { write: true, qd: 1, batch: 1, ..ceiling.clone() };
    let mut flusher = Session::open(&one)?;
    flusher.payload.clear();
    let stop = AtomicBool::new(false);
    let (stop, qd) = (&stop, ceiling.qd);
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || write(writer, qd, stop));
        let measured = flusher.measure(ceiling.runtime);
        stop.store(true, Ordering::Relaxed);
        let written = writing.join().map_err(|_| io::Error::other("the writer panicked"))?;
        written.and(measured)
    })
}

fn write(mut session: Session, qd: u32, stop: &AtomicBool) -> io::Result<()> {
    while !stop.load(Ordering::Relaxed) {
        session.spin(qd, SLICE)?;
    }
    session.close()
}

impl Session {
    fn measure(&mut self, runtime: Duration) -> io::Result<Figures> {
        let (start, cpu, calls) = (Instant::now(), cpu_ns(), self.syscalls);
        let mut latencies = Vec::new();
        while start.elapsed() < runtime {
            let sent = Instant::now();
            self.out.push(request(FLUSH, 0, 0));
            self.in_flight = 1;
            self.send()?;
            while self.in_flight > 0 {
                self.receive()?;
            }
            latencies.push(sent.elapsed().as_nanos() as u64);
        }
        let (elapsed, count) = (start.elapsed(), latencies.len() as u64);
        latencies.sort_unstable();
        let at = |percent: usize| latencies.get(latencies.len() * percent / 100).copied();
        let figures = Figures::of(count, elapsed, cpu_ns() - cpu, self.syscalls - calls);
        let (p50_ns, p99_ns) = (at(50).unwrap_or(0), at(99).unwrap_or(0));
        Ok(Figures { p50_ns, p99_ns, ..figures })
    }
}

//! The recorder of one thread: the interval that runs now, and everything before it.
//!
//! An operation is recorded once, into its interval's histogram. When the interval is over, the
//! histogram becomes a point of the series, is added to the total, and starts empty again.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2Serializer};

use super::tally::{Direction, Tally, histogram};
use super::{ErrorLog, Failure, INTERVAL_NS, Series};

/// Intervals that one line of the interval log covers: a second.
const LOG_INTERVALS: u32 = 10;

/// The times of one direction.
#[derive(Debug)]
struct Lane {
    service: Histogram<u64>,
    response: Histogram<u64>,
    total: Tally,
    series: Series,
    log: Option<Log>,
}

/// Histograms of whole seconds, serialised for the interval log.
#[derive(Debug)]
struct Log {
    second: Histogram<u64>,
    lines: Vec<Vec<u8>>,
}

/// What one thread records.
#[derive(Debug)]
pub struct Recorder {
    lanes: [Lane; 2],
    open_loop: bool,
    /// The measurement is over; what comes now was due before and is late.
    ended: bool,
    /// When the running interval ends.
    interval_end: u64,
    intervals: u32,
    /// Failed operations.
    pub errors: ErrorLog,
}

/// What a thread has recorded, when it is over.
#[derive(Debug)]
pub struct Finished {
    /// Reads, then writes.
    pub tallies: [Tally; 2],
    /// Reads, then writes.
    pub series: [Series; 2],
    /// Serialised histograms of each second, where asked for: reads, then writes.
    pub log: [Vec<Vec<u8>>; 2],
    /// Failed operations.
    pub errors: ErrorLog,
}

impl Recorder {
    /// A recorder for `runtime_ns` from `start` on.
    pub fn new(start: u64, runtime_ns: u64, open_loop: bool, log: bool) -> Recorder {
        let lane = || Lane {
            service: histogram(),
            response: histogram(),
            total: Tally::default(),
            series: Series::for_span(runtime_ns),
            log: log.then(|| Log { second: histogram(), lines: Vec::new() }),
        };
        Recorder {
            lanes: [lane(), lane()],
            open_loop,
            ended: false,
            interval_end: start.saturating_add(INTERVAL_NS),
            intervals: 0,
            errors: ErrorLog::default(),
        }
    }

    /// Records an operation of a closed loop.
    #[inline]
    pub fn closed(&mut self, direction: Direction, service_ns: u64) {
        self.lanes[direction as usize].service.saturating_record(service_ns);
    }

    /// Records an operation of an open loop.
    #[inline]
    pub fn open(&mut self, direction: Direction, service_ns: u64, response_ns: u64) {
        let lane = &mut self.lanes[direction as usize];
        lane.service.saturating_record(service_ns);
        lane.response.saturating_record(response_ns);
    }

    /// Records the age of an operation that was never done: it took at least so long.
    pub fn unserved(&mut self, direction: Direction, age_ns: u64) {
        self.lanes[direction as usize].response.saturating_record(age_ns);
    }

    /// Records a failure.
    pub fn failed(&mut self, failure: Failure) {
        self.errors.add(failure);
    }

    /// When the running interval ends.
    pub fn interval_end(&self) -> u64 {
        self.interval_end
    }

    /// Closes the intervals that are over at `now`.
    pub fn tick(&mut self, now: u64) {
        while now >= self.interval_end && !self.ended {
            self.close_interval();
            self.interval_end += INTERVAL_NS;
        }
    }

    /// The measurement is over at `now`: what is recorded from here on was late.
    pub fn end(&mut self, now: u64) {
        self.tick(now);
        if self.lanes.iter().any(|lane| !lane.service.is_empty()) {
            self.close_interval();
        }
        self.ended = true;
        self.interval_end = u64::MAX;
    }

    fn close_interval(&mut self) {
        self.intervals += 1;
        let line_ends = self.intervals.is_multiple_of(LOG_INTERVALS);
        let (open_loop, late) = (self.open_loop, self.ended);
        self.lanes.iter_mut().for_each(|lane| lane.close(open_loop, late, line_ends));
    }

    /// Operations that were done so far, in closed intervals.
    pub fn done(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.total.ios).sum()
    }

    /// Ends the recording: the running interval counts in the totals.
    pub fn finish(mut self) -> Finished {
        self.intervals = LOG_INTERVALS - 1;
        let something = |lane: &Lane| lane.service.len() + lane.response.len() > 0;
        if self.lanes.iter().any(something) || self.lanes.iter().any(Lane::has_open_line) {
            self.close_interval();
        }
        let [read, write] = self.lanes;
        let lines = |log: Option<Log>| log.map_or_else(Vec::new, |log| log.lines);
        Finished {
            tallies: [read.total, write.total],
            series: [read.series, write.series],
            log: [lines(read.log), lines(write.log)],
            errors: self.errors,
        }
    }
}

impl Lane {
    fn close(&mut self, open_loop: bool, late: bool, line_ends: bool) {
        let times = if open_loop { &self.response } else { &self.service };
        let done = self.service.len();
        if late {
            self.total.late_ios += done;
        } else {
            self.total.ios += done;
            self.series.push(done, times);
        }
        let same = "histograms of the same bounds add up";
        if let Some(log) = &mut self.log {
            log.second.add(times).expect(same);
            if line_ends {
                log.end_line();
            }
        }
        if done > 0 {
            self.total.service.add(&self.service).expect(same);
            self.service.reset();
        }
        if !self.response.is_empty() {
            self.total.response.add(&self.response).expect(same);
            self.response.reset();
        }
    }

    fn has_open_line(&self) -> bool {
        self.log.as_ref().is_some_and(|log| !log.second.is_empty())
    }
}

impl Log {
    fn end_line(&mut self) {
        let mut line = Vec::new();
        let written = V2Serializer::new().serialize(&self.second, &mut line);
        written.expect("a histogram of counts below 2 to the 63 serialises into memory");
        self.lines.push(line);
        self.second.reset();
    }
}

//! The states that a crash could have left: what was durable, and any part of the rest.
//!
//! Durable at a point of the log is what completed before a flush began that has completed, and
//! what completed with FUA. Of everything else that had begun, any subset of sectors may be there.

use std::collections::BTreeSet;

use byway_engine::sim::Rng;

use super::image::{Image, SECTOR};
use super::log::{Event, Log, Request};

/// One state of the medium after a crash.
pub(crate) struct CrashState {
    /// What the device holds.
    pub(crate) image: Image,
    /// How many events had happened.
    pub(crate) point: usize,
    /// Promises made before.
    pub(crate) promises: Vec<u64>,
}

/// Walks through a log, and gives out states.
pub(crate) struct States<'a> {
    log: &'a Log,
    durable: Image,
    /// Begun, not durable; true: completed.
    open: Vec<(u32, bool)>,
    /// For a flush in flight: what it will make durable.
    flushing: Vec<(u32, BTreeSet<u32>)>,
    promises: Vec<u64>,
    at: usize,
}

impl<'a> States<'a> {
    /// From the image that was there when the log began.
    pub(crate) fn new(log: &'a Log, before: Image) -> States<'a> {
        let mut durable = before;
        durable.settle();
        States { log, durable, open: Vec::new(), flushing: Vec::new(), promises: Vec::new(), at: 0 }
    }

    /// Goes on by one event; false at the end.
    pub(crate) fn step(&mut self) -> bool {
        let Some(event) = self.log.events.get(self.at) else {
            return false;
        };
        self.at += 1;
        match event {
            Event::Began(number) => self.began(*number),
            Event::Ended(number) => self.ended(*number),
            Event::Promised(number) => self.promises.push(*number),
        }
        true
    }

    fn began(&mut self, number: u32) {
        match &self.log.requests[number as usize] {
            Request::Flush => {
                let done = self.open.iter().filter(|(_, done)| *done).map(|(n, _)| *n).collect();
                self.flushing.push((number, done));
            }
            _ => self.open.push((number, false)),
        }
    }

    fn ended(&mut self, number: u32) {
        match &self.log.requests[number as usize] {
            Request::Flush => {
                let at = self.flushing.iter().position(|(n, _)| *n == number).expect("it began");
                let (_, covered) = self.flushing.remove(at);
                self.make_durable(&covered);
            }
            Request::Write { fua: true, .. } | Request::Clear { fua: true, .. } => {
                self.make_durable(&BTreeSet::from([number]));
            }
            _ => self.open.iter_mut().filter(|(n, _)| *n == number).for_each(|open| open.1 = true),
        }
    }

    fn make_durable(&mut self, covered: &BTreeSet<u32>) {
        let (done, open) = self.open.drain(..).partition(|(n, _)| covered.contains(n));
        self.open = open;
        let done: Vec<(u32, bool)> = done;
        done.iter().for_each(|(n, _)| put(&mut self.durable, &self.log.requests[*n as usize]));
        self.durable.settle();
    }

    /// How many states this point has beside the plain one.
    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Only what is durable.
    pub(crate) fn plain(&self) -> CrashState {
        self.state(self.durable.clone())
    }

    /// Everything that had begun is there.
    pub(crate) fn full(&self) -> CrashState {
        let mut image = self.durable.clone();
        self.open.iter().for_each(|(n, _)| put(&mut image, &self.log.requests[*n as usize]));
        self.state(image)
    }

    /// A random part of what is not durable is there, some of it torn.
    pub(crate) fn random(&self, rng: &mut Rng) -> CrashState {
        let mut image = self.durable.clone();
        let keep_in_10 = rng.within(1..10);
        for (number, _) in &self.open {
            let request = &self.log.requests[*number as usize];
            match rng.below(10) < keep_in_10 {
                true if rng.below(4) == 0 => put_torn(&mut image, request, rng),
                true => put(&mut image, request),
                false => {}
            }
        }
        self.state(image)
    }

    fn state(&self, image: Image) -> CrashState {
        CrashState { image, point: self.at, promises: self.promises.clone() }
    }
}

fn put(image: &mut Image, request: &Request) {
    match request {
        Request::Write { offset, bytes, .. } => image.write(*offset, bytes),
        Request::Clear { offset, len, .. } => image.clear(*offset, *len),
        Request::Flush => {}
    }
}

/// Some sectors of a request: a first part, a last part, or any.
fn put_torn(image: &mut Image, request: &Request, rng: &mut Rng) {
    let (offset, len) = match request {
        Request::Write { offset, bytes, .. } => (*offset, bytes.len() as u64),
        Request::Clear { offset, len, .. } => (*offset, *len),
        Request::Flush => return,
    };
    let sectors = len / SECTOR as u64;
    let cut = rng.below(sectors + 1);
    let kind = rng.below(3);
    for sector in 0..sectors {
        let there = match kind {
            0 => sector < cut,
            1 => sector >= cut,
            _ => rng.below(2) == 0,
        };
        if there {
            put_sector(image, request, offset, sector);
        }
    }
}

fn put_sector(image: &mut Image, request: &Request, offset: u64, sector: u64) {
    let at = offset + sector * SECTOR as u64;
    match request {
        Request::Write { bytes, .. } => {
            let from = (sector as usize) * SECTOR;
            image.write(at, &bytes[from..from + SECTOR]);
        }
        Request::Clear { .. } => image.clear(at, SECTOR as u64),
        Request::Flush => {}
    }
}

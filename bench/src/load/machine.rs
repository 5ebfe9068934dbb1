//! The machine: slots, phases, and the way of a request through them.
//!
//! ```text
//! Warmup ── measure_from ─> Counting ── end ─> Draining ── nothing left ─> Over
//!                                                 └─ verified writes ─> ReadBack ─> Over
//! ```
//!
//! A closed loop counts what completes while counting. An open loop counts what was *intended* to
//! start while counting, whenever it completes: a request that had to wait keeps its intended
//! start, and what is never done counts with the age it reached.

use byway_engine::block::{Completion, Io, Op, Payload};
use byway_engine::memory::Lease;
use byway_engine::{IoError, SetupError};

use super::Pace;
use super::config::{LoadConfig, Outcome, Phase, buffers};
use super::content::Content;
use crate::generator::Generator;
use crate::record::{Direction, Failure, INTERVAL_NS, Recorder};

/// How long after the end an open loop may still start what was due before it, in nanoseconds.
const DRAIN_NS_MAX: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    start: u64,
    intended: u64,
    block: u64,
    generation: u32,
    write: bool,
}

/// The load of one thread.
#[derive(Debug)]
pub struct Load {
    config: LoadConfig,
    generator: Generator,
    pace: Option<Pace>,
    content: Option<Content>,
    recorder: Recorder,
    slots: Vec<Slot>,
    /// Slots without a request, with their memory; the last one used is the next one used.
    idle: Vec<(u32, Payload)>,
    /// A request that the device had no room for.
    held: Option<Io>,
    now: u64,
    epoch: u64,
    measure_from: u64,
    end: u64,
    drain_end: u64,
    /// The next moment at which a phase or an interval ends.
    edge: u64,
    phase: Phase,
    stopped: bool,
}

impl Load {
    /// A load that starts at `now`, with buffers from `lease`.
    pub fn new(
        config: LoadConfig,
        generator: Generator,
        pace: Option<Pace>,
        lease: impl Fn(u32) -> Option<Lease>,
        now: u64,
    ) -> Result<Load, SetupError> {
        let measure_from = now.saturating_add(config.warmup_ns);
        let end = measure_from.saturating_add(config.runtime_ns);
        let drain = if pace.is_some() { DRAIN_NS_MAX } else { 0 };
        let content = config.verify.map(|seed| Content::new(seed, config.blocks));
        Ok(Load {
            recorder: Recorder::new(measure_from, config.runtime_ns, pace.is_some(), config.log),
            slots: vec![Slot::default(); config.qd as usize],
            idle: buffers(&config, lease)?,
            generator,
            pace,
            content,
            held: None,
            now,
            epoch: now,
            measure_from,
            end,
            drain_end: end.saturating_add(drain),
            edge: now,
            phase: Phase::Warmup,
            stopped: false,
            config,
        })
    }

    /// Tells the time. Called before completions are handed in and requests are asked for. True
    /// about every 100 ms and at every change of phase: the runner's moment for what is not done
    /// for each request.
    #[inline]
    pub fn begin(&mut self, now: u64) -> bool {
        self.now = now;
        if now < self.edge {
            return false;
        }
        self.cross_edge();
        true
    }

    #[cold]
    fn cross_edge(&mut self) {
        if self.phase == Phase::Warmup && self.now >= self.measure_from {
            self.phase = Phase::Counting;
        }
        if self.phase == Phase::Counting {
            self.recorder.tick(self.now.min(self.end));
            if self.now >= self.end {
                self.recorder.end(self.end);
                self.phase = Phase::Draining;
            }
        }
        self.edge = match self.phase {
            Phase::Warmup => self.measure_from.min(self.now + INTERVAL_NS),
            Phase::Counting => self.recorder.interval_end().min(self.end),
            _ => self.now + INTERVAL_NS,
        };
    }

    /// Ends the measurement now, or soon where it has not begun.
    pub fn stop(&mut self) {
        if matches!(self.phase, Phase::Warmup | Phase::Counting) {
            self.measure_from = self.measure_from.min(self.now);
            self.end = self.now;
            self.edge = self.now;
            self.cross_edge();
        }
        if self.phase == Phase::ReadBack {
            self.phase = Phase::Draining;
        }
        self.stopped = true;
        self.drain_end = self.now;
    }

    /// The time it was told last, in nanoseconds.
    #[inline]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// When counting ends, in nanoseconds.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// True where it was stopped before its time.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Where the load is now.
    #[inline]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Requests that are with the device.
    pub fn in_flight(&self) -> usize {
        self.slots.len() - self.idle.len() - usize::from(self.held.is_some())
    }

    /// Requests that may be in flight.
    pub fn depth(&self) -> usize {
        self.slots.len()
    }

    /// How long nothing but a completion can give work, in nanoseconds: until the next intended
    /// start where a slot waits for it, else without end. Zero where a request is due now.
    #[inline]
    pub fn idle_ns(&self) -> u64 {
        if self.idle.is_empty() || self.held.is_some() {
            return u64::MAX;
        }
        self.next_due().map_or(u64::MAX, |due| due.saturating_sub(self.now))
    }

    /// Operations done so far, for a progress line.
    pub fn done(&self) -> u64 {
        self.recorder.done()
    }

    /// Hands in what a device has done.
    #[inline]
    pub fn complete(&mut self, completion: Completion) {
        let index = completion.tag as u32;
        let slot = self.slots[index as usize];
        let direction = if slot.write { Direction::Write } else { Direction::Read };
        let service = self.now.saturating_sub(slot.start);
        match &completion.result {
            Ok(_) if self.pace.is_none() => {
                if self.phase == Phase::Counting {
                    self.recorder.closed(direction, service);
                }
            }
            Ok(_) => self.record_open(direction, service, slot.intended),
            Err(error) => self.fail(error),
        }
        if self.content.is_some() {
            self.settle(slot, &completion);
        }
        self.idle.push((index, completion.payload));
    }

    fn record_open(&mut self, direction: Direction, service: u64, intended: u64) {
        if intended >= self.measure_from && self.phase != Phase::ReadBack {
            self.recorder.open(direction, service, self.now.saturating_sub(intended));
        }
    }

    #[cold]
    fn fail(&mut self, error: &IoError) {
        self.recorder.failed(Failure::from(error));
        if self.recorder.errors.is_full() {
            self.stop();
        }
    }

    /// Checks what was read and remembers what was written.
    fn settle(&mut self, slot: Slot, completion: &Completion) {
        let Some(content) = &mut self.content else { return };
        let offset = self.config.base + slot.block * u64::from(self.config.bs);
        if slot.write {
            let written = completion.result.is_ok().then_some(slot.generation);
            content.written(slot.block, written);
        } else if let Err(failure) = content.read(slot.block, offset, completion) {
            self.recorder.failed(failure);
            if self.recorder.errors.is_full() {
                self.stop();
            }
        }
    }

    /// The next request to submit, if one is due and there is room.
    #[inline]
    pub fn next_io(&mut self) -> Option<Io> {
        if self.held.is_some() {
            return self.held.take();
        }
        if self.idle.is_empty() || self.next_due().is_none_or(|due| due > self.now) {
            return None;
        }
        let intended = self.claim_start()?;
        self.issue(intended)
    }

    /// Takes back a request that the device had no room for; [`Load::next_io`] gives it again.
    pub fn give_back(&mut self, io: Io) {
        assert!(self.held.is_none(), "a runner stops asking when the device is full");
        self.held = Some(io);
    }

    /// When the next request is due; none where none will be. Past moments mean at once.
    #[inline]
    pub fn next_due(&self) -> Option<u64> {
        match (&self.pace, self.phase) {
            (None, Phase::Warmup | Phase::Counting) => Some(self.now),
            (Some(pace), Phase::Warmup | Phase::Counting | Phase::Draining) => {
                let start = self.epoch + pace.next_start();
                (start < self.end && self.now < self.drain_end.max(self.end)).then_some(start)
            }
            (_, Phase::ReadBack) => self.content.as_ref()?.has_more().then_some(self.now),
            _ => None,
        }
    }

    /// Takes the next intended start, for a runner whose tasks wait for it by themselves.
    #[inline]
    pub fn claim_start(&mut self) -> Option<u64> {
        self.next_due()?;
        match &mut self.pace {
            Some(pace) if self.phase != Phase::ReadBack => Some(self.epoch + pace.take()),
            _ => Some(self.now),
        }
    }

    /// A request with this intended start; none where the load was stopped or no slot is free.
    #[inline]
    pub fn issue(&mut self, intended: u64) -> Option<Io> {
        if self.stopped {
            return None;
        }
        let (index, payload) = self.idle.pop()?;
        if self.content.is_some() {
            return self.issue_verified(index, payload, intended);
        }
        let step = self.generator.step();
        let slot =
            Slot { start: self.now, intended, block: step.block, generation: 0, write: step.write };
        Some(self.request(index, slot, payload))
    }

    fn issue_verified(&mut self, index: u32, mut payload: Payload, intended: u64) -> Option<Io> {
        let content = self.content.as_mut()?;
        let picked = match self.phase {
            Phase::ReadBack => content.next_to_read().map(|block| (block, false)),
            _ => {
                let step = self.generator.step();
                Some((content.take(step.block), step.write))
            }
        };
        let Some((block, write)) = picked else {
            self.idle.push((index, payload));
            return None;
        };
        let offset = self.config.base + block * u64::from(self.config.bs);
        let generation = if write { content.stamp(block, offset, &mut payload) } else { 0 };
        let slot = Slot { start: self.now, intended, block, generation, write };
        Some(self.request(index, slot, payload))
    }

    #[inline]
    fn request(&mut self, index: u32, slot: Slot, payload: Payload) -> Io {
        self.slots[index as usize] = slot;
        let bs = u64::from(self.config.bs);
        Io {
            tag: u64::from(index),
            offset: self.config.base + slot.block * bs,
            len: bs,
            op: if slot.write { Op::Write } else { Op::Read },
            fua: slot.write && self.config.fua,
            unmap: false,
            payload,
        }
    }

    /// True when nothing is left to be done in this phase. A verified load that has written then
    /// reads back what it wrote, once; the answer is false until that is over, too.
    pub fn is_over(&mut self) -> bool {
        let waiting = matches!(self.phase, Phase::Warmup | Phase::Counting);
        if self.phase == Phase::Over {
            return true;
        }
        if waiting || self.in_flight() > 0 || self.held_is_due() || self.next_due().is_some() {
            return false;
        }
        let read_back = self.phase == Phase::Draining && !self.stopped;
        let content = self.content.as_mut().filter(|_| read_back);
        let more = content.is_some_and(|content| content.start_read_back());
        self.phase = if more { Phase::ReadBack } else { Phase::Over };
        !more
    }

    /// A held request goes out even when nothing new may; after a stop it is dropped.
    fn held_is_due(&mut self) -> bool {
        if self.stopped
            && let Some(io) = self.held.take()
        {
            self.idle.push((io.tag as u32, io.payload));
        }
        self.held.is_some()
    }

    /// The numbers, when the load is over.
    pub fn finish(mut self) -> Outcome {
        let unserved = self.count_unserved();
        Outcome {
            recorded: self.recorder.finish(),
            runtime_ns: self.end.saturating_sub(self.measure_from),
            unserved,
            verified: self.content.map_or(0, |content| content.verified()),
        }
    }

    fn count_unserved(&mut self) -> u64 {
        let Some(pace) = &mut self.pace else { return 0 };
        let mut unserved = 0;
        while self.epoch + pace.next_start() < self.end {
            let start = self.epoch + pace.take();
            if start >= self.measure_from {
                let write = self.generator.step().write;
                let direction = if write { Direction::Write } else { Direction::Read };
                self.recorder.unserved(direction, self.now.saturating_sub(start));
                unserved += 1;
            }
        }
        unserved
    }
}

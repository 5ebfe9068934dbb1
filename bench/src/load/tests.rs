//! The load against devices under a virtual clock: no time passes, and no result depends on one.

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::block::null::NullDevice;
use byway_engine::block::wrap::{Fault, FaultAction, FaultPlan, FaultRule};
use byway_engine::block::{
    BlockDevice, Channel, Completion, Completions, DeviceInfo, Io, Op, WaitSource,
};
use byway_engine::core::Core;
use byway_engine::{ErrorKind, SetupError};
use hdrhistogram::Histogram;

use super::*;
use crate::generator::Generator;
use crate::words;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;
const BLOCKS: u64 = 1 << 14;

fn config() -> LoadConfig {
    LoadConfig {
        base: 0,
        blocks: BLOCKS,
        bs: 512,
        qd: 1,
        fua: false,
        verify: None,
        seed: 1,
        warmup_ns: SECOND,
        runtime_ns: 100 * SECOND,
        log: false,
    }
}

/// Runs a load to its end: time goes on only where nothing else does.
fn drive(mut load: Load, core: &Rc<Core>, channel: &mut dyn Channel) -> Outcome {
    let mut done = Completions::new();
    while !load.is_over() {
        load.begin(core.now());
        let mut moved = false;
        while let Some(io) = load.next_io() {
            moved = true;
            if let Err(io) = channel.submit(io) {
                load.give_back(io);
                break;
            }
        }
        channel.flush_submissions();
        channel.poll(&mut done);
        moved |= !done.is_empty();
        done.drain(..).for_each(|completion| load.complete(completion));
        if !moved {
            let device = match channel.wait_source() {
                WaitSource::Until(ns) if channel.in_flight() > 0 => Some(ns),
                _ => None,
            };
            let next = load.next_due().into_iter().chain(device).filter(|ns| *ns > core.now());
            core.clock().advance_to(next.min().unwrap_or(core.now() + MS));
        }
    }
    load.finish()
}

fn load_of(config: LoadConfig, rate: Option<&str>, core: &Rc<Core>, reads: u8) -> Load {
    let pace = rate.map(|word| Pace::new(words::rate(word).unwrap(), 0, 1, config.seed));
    let generator = Generator::new(config.seed, config.blocks, false, None, reads);
    Load::new(config, generator, pace, |len| core.arena().lease(len), core.now()).unwrap()
}

/// A device over memory that takes `service_ns` for each request, one at a time.
struct Slow {
    service_ns: u64,
    damage: Option<Damage>,
}

#[derive(Clone, Copy, PartialEq)]
enum Damage {
    LostWrites,
    FailedWrites,
}

struct SlowChannel {
    device: Slow,
    core: Rc<Core>,
    bytes: Vec<u8>,
    waiting: std::collections::VecDeque<(u64, Io)>,
    free_at: u64,
    writes: u64,
}

impl Slow {
    fn open(self, core: &Rc<Core>) -> SlowChannel {
        let bytes = vec![0; BLOCKS as usize * 512];
        let core = Rc::clone(core);
        SlowChannel {
            device: self,
            core,
            bytes,
            waiting: Default::default(),
            free_at: 0,
            writes: 0,
        }
    }
}

impl SlowChannel {
    fn serve(&mut self, mut io: Io) -> Completion {
        let at = io.offset as usize;
        if io.op == Op::Read {
            io.payload.copy_from(0, &self.bytes[at..at + io.len as usize]);
            return io.done();
        }
        self.writes += 1;
        match self.device.damage {
            Some(Damage::FailedWrites) if self.writes.is_multiple_of(100) => {
                return io.failed(ErrorKind::Media, "the medium is bad here");
            }
            Some(Damage::LostWrites) if self.writes.is_multiple_of(100) => {}
            _ => io.payload.copy_to(0, &mut self.bytes[at..at + io.len as usize]),
        }
        io.done()
    }
}

impl Channel for SlowChannel {
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        self.free_at = self.free_at.max(self.core.now()) + self.device.service_ns;
        self.waiting.push_back((self.free_at, io));
        Ok(())
    }

    fn flush_submissions(&mut self) {}

    fn poll(&mut self, done: &mut Completions) {
        while let Some((at, io)) = self.waiting.pop_front() {
            if at > self.core.now() {
                self.waiting.push_front((at, io));
                return;
            }
            let completion = self.serve(io);
            done.push(completion);
        }
    }

    fn in_flight(&self) -> u32 {
        self.waiting.len() as u32
    }

    fn wait_source(&self) -> WaitSource {
        self.waiting.front().map_or(WaitSource::Ring, |(at, _)| WaitSource::Until(*at))
    }
}

fn quantile_ms(times: &Histogram<u64>, q: f64) -> f64 {
    times.value_at_quantile(q) as f64 / MS as f64
}

/// A device that takes `service_ns` for each request and stalls for the last 100 ms of every second.
fn stalling(service_ns: u64, core: &Rc<Core>) -> Box<dyn Channel> {
    let stall = FaultAction::Stall { period_ns: SECOND, stall_ns: 100 * MS };
    let service = FaultAction::Delay { ns: service_ns };
    let plan = FaultPlan::new(1).rule(FaultRule::new(service)).rule(FaultRule::new(stall));
    let device = Fault::new(Arc::new(NullDevice::new(BLOCKS * 512)), plan);
    device.open_channel(core).unwrap()
}

#[test]
fn an_open_loop_shows_a_stall_at_its_expected_percentiles() {
    let core = Core::standalone().unwrap();
    let load = load_of(LoadConfig { qd: 64, ..config() }, Some("10k"), &core, 100);
    let outcome = drive(load, &core, stalling(1000, &core).as_mut());
    let times = &outcome.recorded.tallies[0].response;
    assert_eq!(times.len(), 1_000_000, "every intended start is counted once");
    // A tenth of the starts falls into a stall and waits for the rest of it, 0 to 100 ms evenly
    // spread: P(response > x) = 0.1 (1 - x / 100 ms).
    for (q, expected_ms) in [(0.95, 50.0), (0.98, 80.0), (0.99, 90.0), (0.995, 95.0), (0.999, 99.0)]
    {
        let found = quantile_ms(times, q);
        assert!((found - expected_ms).abs() < 0.2, "{q}: {found} ms, not {expected_ms} ms");
    }
    assert!(quantile_ms(times, 0.899) < 0.1, "the other nine tenths see no stall");
    assert_eq!((outcome.unserved, outcome.runtime_ns), (0, 100 * SECOND));
}

#[test]
fn poisson_arrivals_show_the_same_stall() {
    let core = Core::standalone().unwrap();
    let load = load_of(LoadConfig { qd: 64, ..config() }, Some("10k:poisson"), &core, 100);
    let outcome = drive(load, &core, stalling(1000, &core).as_mut());
    let times = &outcome.recorded.tallies[0].response;
    assert!((times.len() as f64 - 1e6).abs() < 5000.0, "{}", times.len());
    for (q, expected_ms) in [(0.95, 50.0), (0.99, 90.0), (0.999, 99.0)] {
        assert!((quantile_ms(times, q) - expected_ms).abs() < 1.5, "{q}");
    }
}

#[test]
fn a_closed_loop_does_not_pretend_to_see_the_stall() {
    let core = Core::standalone().unwrap();
    let load = load_of(config(), None, &core, 100);
    let outcome = drive(load, &core, stalling(100_000, &core).as_mut());
    let tally = &outcome.recorded.tallies[0];
    // 9000 requests a second, of which one meets the stall: it is beyond every usual percentile,
    // though the device did nothing for a tenth of the time.
    assert!((tally.ios as i64 - 900_000).abs() <= 200, "{}", tally.ios);
    assert!(quantile_ms(&tally.service, 0.999) < 0.11);
    assert!(quantile_ms(&tally.service, 1.0) > 100.0);
    assert!(tally.response.is_empty(), "and no response time is claimed");
}

#[test]
fn an_overloaded_open_loop_counts_what_it_never_did() {
    let core = Core::standalone().unwrap();
    let slow = Slow { service_ns: MS, damage: None };
    let config = LoadConfig { warmup_ns: 0, runtime_ns: 10 * SECOND, ..config() };
    let outcome = drive(load_of(config, Some("2k"), &core, 100), &core, &mut slow.open(&core));
    let tally = &outcome.recorded.tallies[0];
    // It can do 1000 a second: 10,000 in time, 1000 in the second of grace, and the rest never.
    assert!((tally.ios as i64 - 10_000).abs() < 5, "{}", tally.ios);
    assert!((tally.late_ios as i64 - 1000).abs() < 5, "{}", tally.late_ios);
    assert_eq!(tally.ios + tally.late_ios + outcome.unserved, 20_000);
    assert_eq!(tally.response.len(), 20_000);
    // The last one served waited 5.5 s; the oldest unserved waits as long.
    assert!((quantile_ms(&tally.response, 1.0) - 5500.0).abs() < 10.0);
    assert!(quantile_ms(&tally.service, 1.0) < 2.0, "the device itself is not slow");
}

#[test]
fn warm_up_is_not_counted() {
    let core = Core::standalone().unwrap();
    let slow = Slow { service_ns: MS, damage: None };
    let config = LoadConfig { warmup_ns: 3 * SECOND, runtime_ns: SECOND, ..config() };
    let outcome = drive(load_of(config, None, &core, 100), &core, &mut slow.open(&core));
    let ios = outcome.recorded.tallies[0].ios;
    assert!((999..=1001).contains(&ios), "{ios}");
    assert_eq!(outcome.recorded.series[0].points().len(), 10);
}

#[test]
fn a_stopped_load_ends_with_what_it_has() {
    let core = Core::standalone().unwrap();
    let mut channel = Slow { service_ns: MS, damage: None }.open(&core);
    let mut load = load_of(LoadConfig { warmup_ns: 0, ..config() }, None, &core, 100);
    load.begin(0);
    channel.submit(load.next_io().unwrap()).unwrap();
    core.clock().advance_to(500 * MS);
    load.begin(core.now());
    load.stop();
    assert!(!load.is_over() && load.next_io().is_none(), "one request is still out");
    let outcome = drive(load, &core, &mut channel);
    assert_eq!(outcome.runtime_ns, 500 * MS);
}

fn verified(damage: Option<Damage>, reads: u8) -> Outcome {
    let core = Core::standalone().unwrap();
    let device = Slow { service_ns: 10_000, damage };
    let config = LoadConfig {
        verify: Some(7),
        blocks: 500,
        qd: 16,
        warmup_ns: 0,
        runtime_ns: 200 * MS,
        ..config()
    };
    drive(load_of(config, None, &core, reads), &core, &mut device.open(&core))
}

#[test]
fn a_sound_device_passes_verification() {
    let outcome = verified(None, 50);
    assert_eq!(outcome.recorded.errors.first, []);
    let (reads, writes) = (&outcome.recorded.tallies[0], &outcome.recorded.tallies[1]);
    assert!(reads.ios + writes.ios > 19_000, "{} + {}", reads.ios, writes.ios);
    assert!(outcome.verified > reads.ios / 2, "most reads meet a written block");
    let only_writes = verified(None, 0);
    assert_eq!(only_writes.verified, 500, "every block is read back once");
    assert_eq!(only_writes.recorded.tallies[0].ios, 0, "and is no operation of the load");
}

#[test]
fn a_lost_write_is_found() {
    let errors = verified(Some(Damage::LostWrites), 50).recorded.errors;
    assert!(errors.count >= 16, "and then the load gives up");
    assert!(errors.first.iter().all(|failure| failure.op == "verify"));
    let what = &errors.first[0].what;
    assert!(what.contains("generation") || what.contains("no stamp"), "{what}");
}

#[test]
fn a_failed_write_is_reported_and_never_counted() {
    let outcome = verified(Some(Damage::FailedWrites), 50);
    let errors = &outcome.recorded.errors;
    assert_eq!((errors.count, errors.first[0].op), (16, "write"));
    assert!(errors.first[0].what.contains("offset"), "{}", errors.first[0].what);
    let writes = outcome.recorded.tallies[1].ios;
    assert!((1580..1600).contains(&writes), "16 of the first 1600 failed: {writes}");
}

/// A channel that is full with one request.
struct Narrow(Box<dyn Channel>);

impl Channel for Narrow {
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        if self.0.in_flight() == 1 { Err(io) } else { self.0.submit(io) }
    }

    fn flush_submissions(&mut self) {
        self.0.flush_submissions();
    }

    fn poll(&mut self, done: &mut Completions) {
        self.0.poll(done);
    }

    fn in_flight(&self) -> u32 {
        self.0.in_flight()
    }
}

struct Narrowed(NullDevice);

impl BlockDevice for Narrowed {
    fn info(&self) -> DeviceInfo {
        self.0.info()
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        Ok(Box::new(Narrow(self.0.open_channel(core)?)))
    }
}

#[test]
fn a_full_channel_gets_its_request_again() {
    let core = Core::standalone().unwrap();
    let mut channel = Narrowed(NullDevice::new(BLOCKS * 512)).open_channel(&core).unwrap();
    let config = LoadConfig { qd: 8, warmup_ns: 0, runtime_ns: SECOND, ..config() };
    let outcome = drive(load_of(config, Some("1k"), &core, 100), &core, channel.as_mut());
    assert_eq!(outcome.recorded.tallies[0].response.len(), 1000);
    assert_eq!(outcome.recorded.errors.count, 0);
}

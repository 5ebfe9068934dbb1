use std::collections::BTreeSet;

use super::*;
use crate::block::{
    Completion, Completions, DeviceEvent, Extent, ExtentKind, Io, IoResult, Op, Outcome, WaitSource,
};
use crate::error::ErrorKind;
use crate::sim::PPM;

const UNIT: u64 = 4096;

/// A disk, and a host with a channel to it.
struct Lab {
    disk: SimDisk,
    core: Rc<Core>,
    channel: Box<dyn Channel>,
}

impl Lab {
    fn new(config: DiskConfig, seed: u64) -> Lab {
        let disk = SimDisk::new(config, seed);
        Lab::on(&disk)
    }

    fn on(disk: &SimDisk) -> Lab {
        let core = Core::standalone().unwrap();
        let channel = disk.open_channel(&core).unwrap();
        Lab { disk: disk.clone(), core, channel }
    }

    /// A disk whose requests take 1 µs each.
    fn quick(seed: u64) -> Lab {
        Lab::new(quick(), seed)
    }

    fn submit(&mut self, io: Io) {
        self.channel.submit(io).unwrap();
    }

    /// Lets time pass until something completes.
    fn wait(&mut self) -> Completions {
        let mut done = Completions::new();
        while done.is_empty() {
            if let WaitSource::Until(at) = self.channel.wait_source() {
                assert_ne!(at, u64::MAX, "the request hangs");
                self.core.clock().advance_to(at);
            }
            self.channel.poll(&mut done);
        }
        done
    }

    fn run(&mut self, io: Io) -> Completion {
        self.submit(io);
        let mut done = self.wait();
        assert_eq!(done.len(), 1);
        done.remove(0)
    }

    fn lease(&self, len: u64, value: u8) -> crate::memory::Lease {
        let mut lease = self.core.lease(len as u32).unwrap();
        lease.fill(value);
        lease
    }

    fn write_io(&self, unit: u64, units: u64, value: u8) -> Io {
        Io::write(unit * UNIT, self.lease(units * UNIT, value))
    }

    fn write(&mut self, unit: u64, value: u8) {
        let io = self.write_io(unit, 1, value);
        assert_eq!(self.run(io).result, Ok(Outcome::Done));
    }

    fn flush(&mut self) {
        assert_eq!(self.run(Io::flush()).result, Ok(Outcome::Done));
    }

    fn read(&mut self, unit: u64) -> u8 {
        let io = Io::read(unit * UNIT, self.lease(UNIT, 0xEE));
        let completion = self.run(io);
        assert_eq!(completion.result, Ok(Outcome::Done));
        let lease = completion.payload.into_lease().unwrap();
        assert!(lease.iter().all(|byte| *byte == lease[0]), "a unit is never torn");
        lease[0]
    }
}

fn quick() -> DiskConfig {
    DiskConfig { latency: Latency::fixed(1000), ..DiskConfig::default() }
}

fn kind(result: &IoResult) -> ErrorKind {
    result.as_ref().unwrap_err().kind
}

/// What a protocol leaves, over many seeds.
fn outcomes<T: Ord>(protocol: impl Fn(u64) -> T) -> BTreeSet<T> {
    (0..100).map(protocol).collect()
}

#[test]
fn an_unsynced_write_is_read_at_once_and_may_be_lost_with_the_power() {
    let left = outcomes(|seed| {
        let mut lab = Lab::quick(seed);
        lab.write(3, 7);
        assert_eq!(lab.read(3), 7);
        lab.disk.power_loss();
        Lab::on(&lab.disk).read(3)
    });
    assert_eq!(left, [0, 7].into());
}

#[test]
fn what_completed_before_the_flush_was_submitted_survives() {
    for seed in 0..100 {
        let mut lab = Lab::quick(seed);
        lab.write(3, 7);
        lab.flush();
        lab.disk.power_loss();
        assert_eq!(Lab::on(&lab.disk).read(3), 7);
    }
}

#[test]
fn what_completed_after_the_flush_was_submitted_may_be_lost() {
    let left = outcomes(|seed| {
        let mut lab = Lab::quick(seed);
        lab.submit(lab.write_io(1, 1, 5));
        lab.submit(Io::flush());
        while lab.channel.in_flight() > 0 {
            lab.wait();
        }
        lab.disk.power_loss();
        Lab::on(&lab.disk).read(1)
    });
    assert_eq!(left, [0, 5].into());
}

#[test]
fn a_write_with_fua_survives_and_takes_nothing_else_along() {
    let left = outcomes(|seed| {
        let mut lab = Lab::quick(seed);
        lab.write(1, 1);
        let io = lab.write_io(2, 1, 2).with_fua();
        lab.run(io);
        lab.disk.power_loss();
        let mut after = Lab::on(&lab.disk);
        (after.read(1), after.read(2))
    });
    assert_eq!(left, [(0, 2), (1, 2)].into());
}

#[test]
fn a_long_write_tears_between_units_and_later_ones_outlive_earlier() {
    let left = outcomes(|seed| {
        let mut lab = Lab::quick(seed);
        let io = lab.write_io(0, 2, 1);
        lab.run(io);
        lab.write(2, 2);
        lab.disk.power_loss();
        let mut after = Lab::on(&lab.disk);
        [0, 1, 2].map(|unit| after.read(unit))
    });
    assert_eq!(left.len(), 8, "{left:?}");
}

#[test]
fn a_write_in_flight_at_a_power_loss_fails_and_may_be_there() {
    let left = outcomes(|seed| {
        let mut lab = Lab::quick(seed);
        lab.submit(lab.write_io(5, 1, 9));
        lab.disk.power_loss();
        let result = lab.wait().remove(0).result;
        assert_eq!(kind(&result), ErrorKind::Aborted { maybe_written: true });
        Lab::on(&lab.disk).read(5)
    });
    assert_eq!(left, [0, 9].into());
}

#[test]
fn channels_from_before_a_power_loss_are_dead() {
    let mut lab = Lab::quick(1);
    lab.disk.power_off();
    assert!(lab.disk.open_channel(&lab.core).is_err());
    assert_eq!(kind(&lab.run(Io::flush()).result), ErrorKind::PathLost);
    lab.disk.power_on();
    assert_eq!(kind(&lab.run(Io::flush()).result), ErrorKind::PathLost);
    Lab::on(&lab.disk).flush();
}

#[test]
fn a_crash_of_the_host_leaves_the_cache_and_maybe_what_was_in_flight() {
    let left = outcomes(|seed| {
        let mut lab = Lab::quick(seed);
        lab.write(1, 4);
        lab.submit(lab.write_io(2, 1, 6));
        let disk = lab.disk.clone();
        drop(lab);
        let mut after = Lab::on(&disk);
        assert_eq!(after.read(1), 4, "the array stays on");
        after.core.clock().advance_to(1_000_000);
        after.read(2)
    });
    assert_eq!(left, [0, 6].into());
}

#[test]
fn settled_orphans_never_arrive_late() {
    for seed in 0..100 {
        let lab = Lab::quick(seed);
        let Lab { disk, mut channel, core } = lab;
        let mut lease = core.lease(UNIT as u32).unwrap();
        lease.fill(6);
        channel.submit(Io::write(0, lease)).unwrap();
        drop(channel);
        disk.settle_orphans();
        let mut after = Lab::on(&disk);
        let first = after.read(0);
        after.core.clock().advance_to(1_000_000_000);
        assert_eq!(after.read(0), first);
    }
}

#[test]
fn requests_in_flight_together_complete_in_any_order() {
    let latency = Latency { usual_ns: 1000..100_000, ..Latency::fixed(0) };
    let orders = outcomes(|seed| {
        let config = DiskConfig { latency: latency.clone(), ..DiskConfig::default() };
        let mut lab = Lab::new(config, seed);
        (0..3).for_each(|tag| lab.submit(Io::flush().with_tag(tag)));
        let mut order = Vec::new();
        while order.len() < 3 {
            order.extend(lab.wait().iter().map(|completion| completion.tag));
        }
        order
    });
    assert_eq!(orders.len(), 6);
}

#[test]
fn a_hung_request_waits_for_its_release() {
    let latency = Latency { hang_ppm: PPM, ..Latency::fixed(10) };
    let mut lab = Lab::new(DiskConfig { latency, ..DiskConfig::default() }, 1);
    lab.submit(lab.write_io(0, 1, 3));
    assert_eq!(lab.channel.wait_source(), WaitSource::Until(u64::MAX));
    lab.core.clock().advance_to(1 << 40);
    let mut done = Completions::new();
    lab.channel.poll(&mut done);
    assert!(done.is_empty());
    lab.disk.release_hung();
    assert_eq!(lab.wait().len(), 1);
    assert_eq!(lab.disk.stats().hung, 1);
}

#[test]
fn rules_fail_and_delay_the_requests_that_they_name() {
    let mut lab = Lab::quick(1);
    let media = RuleAction::Fail(ErrorKind::Media);
    lab.disk.add_rule(DiskRule { times: 1, bytes: 0..512, ..DiskRule::every(Op::Write, media) });
    lab.write(1, 1);
    let io = lab.write_io(0, 1, 1);
    let failed = lab.run(io);
    assert_eq!((kind(&failed.result), failed.payload.len()), (ErrorKind::Media, UNIT));
    assert_eq!(lab.read(0), 0, "a medium error changes nothing");
    lab.write(0, 2);
    lab.disk.add_rule(DiskRule::every(Op::Read, RuleAction::Delay(1 << 20)));
    let before = lab.core.now();
    lab.read(0);
    assert_eq!(lab.core.now() - before, 1000 + (1 << 20));
}

#[test]
fn silent_faults_happen_and_are_counted() {
    let silent = SilentFaults {
        misdirected_write_ppm: PPM / 4,
        misdirected_read_ppm: PPM / 4,
        lost_write_ppm: PPM / 4,
        flipped_read_ppm: PPM / 4,
    };
    let mut lab = Lab::new(DiskConfig { silent, ..quick() }, 1);
    let mut wrong = 0;
    for _ in 0..100 {
        lab.write(9, 5);
        let io = Io::read(9 * UNIT, lab.lease(UNIT, 0));
        let lease = lab.run(io).payload.into_lease().unwrap();
        wrong += u32::from(lease.iter().any(|byte| *byte != 5));
    }
    let stats = lab.disk.stats();
    assert!(wrong > 30 && stats.misdirected > 30, "{wrong} {stats:?}");
    assert!(stats.lost_writes > 10 && stats.flipped_reads > 10, "{stats:?}");
}

#[test]
fn compare_and_write_is_one_step_and_survives_whole() {
    let left = outcomes(|seed| {
        let mut lab = Lab::quick(seed);
        let mut words = lab.lease(2 * UNIT, 0);
        words[UNIT as usize..].fill(1);
        let second = lab.lease(2 * UNIT, 0);
        lab.submit(Io::compare_and_write(0, words).with_tag(1));
        lab.submit(Io::compare_and_write(0, second).with_tag(2));
        let mut done = lab.wait();
        while done.len() < 2 {
            done.extend(lab.wait());
        }
        assert_eq!((done[0].tag, &done[0].result), (1, &Ok(Outcome::Done)));
        assert_eq!(kind(&done[1].result), ErrorKind::Miscompare { at: 0 });
        lab.disk.power_loss();
        Lab::on(&lab.disk).read(0)
    });
    assert_eq!(left, [0, 1].into());
}

#[test]
fn zeroes_and_discards_are_seen_by_block_status() {
    let mut lab = Lab::new(DiskConfig { size: 1 << 40, ..quick() }, 3);
    let io = lab.write_io(0, 3, 1);
    lab.run(io);
    lab.run(Io::write_zeroes(UNIT, UNIT, false));
    lab.run(Io::write_zeroes(2 * UNIT, UNIT, true));
    let Ok(Outcome::Extents(extents)) = lab.run(Io::block_status(512, 1 << 39)).result else {
        panic!("block status answers with extents");
    };
    let extent = |offset, len, kind| Extent { offset, len, kind };
    let hole = extent(2 * UNIT, (1 << 39) + 512 - 2 * UNIT, ExtentKind::Hole);
    assert_eq!(
        *extents,
        [extent(512, UNIT - 512, ExtentKind::Data), extent(UNIT, UNIT, ExtentKind::Zero), hole,]
    );
    assert_eq!(lab.run(Io::discard(0, 1 << 40)).result, Ok(Outcome::Done));
    assert_eq!((lab.read(1), lab.read(2)), (0, 0));
}

#[test]
fn a_discarded_block_reads_as_anything() {
    let left = outcomes(|seed| {
        let mut lab = Lab::quick(seed);
        lab.write(0, 1);
        lab.run(Io::discard(0, UNIT));
        lab.read(0)
    });
    assert_eq!(left, [0, 1].into());
}

#[test]
fn a_resize_is_an_event_and_cuts_off_for_good() {
    let mut lab = Lab::quick(1);
    lab.write(8, 1);
    lab.submit(lab.write_io(9, 1, 1));
    lab.disk.resize(4 * UNIT);
    assert_eq!(lab.channel.take_event(), Some(DeviceEvent::Resized { size: 4 * UNIT }));
    assert_eq!(lab.channel.take_event(), None);
    assert_eq!(kind(&lab.wait()[0].result), ErrorKind::Range);
    lab.disk.resize(64 * UNIT);
    assert_eq!((lab.read(8), lab.read(9)), (0, 0));
}

#[test]
fn a_request_that_is_not_legal_fails_and_gives_its_memory_back() {
    let mut lab = Lab::quick(1);
    let size = lab.disk.info().size;
    for io in [
        Io::read(size, lab.lease(512, 0)),
        Io::read(100, lab.lease(512, 0)),
        Io::write(0, lab.lease(2 << 20, 0)),
        Io::compare_and_write(0, lab.lease(4 * UNIT, 0)),
        Io { len: 512, ..Io::write(0, lab.lease(1024, 0)) },
    ] {
        let len = io.payload.len();
        let completion = lab.run(io);
        assert_eq!(kind(&completion.result), ErrorKind::Range);
        assert_eq!(completion.payload.len(), len);
    }
    let keys = Io { op: Op::ReservationIn, ..Io::flush() };
    assert_eq!(kind(&lab.run(keys).result), ErrorKind::Unsupported);
}

#[test]
fn a_full_channel_gives_the_request_back() {
    let mut lab = Lab::new(DiskConfig { depth_max: 2, ..quick() }, 1);
    lab.submit(Io::flush());
    lab.submit(Io::flush());
    assert_eq!(lab.channel.submit(Io::flush().with_tag(9)).unwrap_err().tag, 9);
    lab.wait();
    assert_eq!(lab.channel.in_flight(), 0);
}

/// A protocol of each kind of durability, on a disk that breaks one promise.
fn survivors(mutation: Mutation, seed: u64) -> [bool; 2] {
    let mut lab = Lab::new(DiskConfig { mutation, ..quick() }, seed);
    let io = lab.write_io(0, 2, 1);
    lab.run(io);
    lab.flush();
    let io = lab.write_io(2, 2, 1).with_fua();
    lab.run(io);
    lab.disk.power_loss();
    let mut after = Lab::on(&lab.disk);
    let mut both = |unit| after.read(unit) == 1 && after.read(unit + 1) == 1;
    [both(0), both(2)]
}

#[test]
fn each_mutation_breaks_what_its_name_says() {
    let all_kept = |mutation| {
        let kept: Vec<_> = (0..100).map(|seed| survivors(mutation, seed)).collect();
        [0, 1].map(|at| kept.iter().all(|k| k[at]))
    };
    assert_eq!(all_kept(Mutation::None), [true, true]);
    assert_eq!(all_kept(Mutation::FlushIgnored), [false, true]);
    assert_eq!(all_kept(Mutation::FlushEarly), [false, true]);
    assert_eq!(all_kept(Mutation::FuaIgnored), [true, false]);
    assert_eq!(all_kept(Mutation::TornAcknowledged), [false, false]);
}

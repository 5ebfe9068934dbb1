use super::*;
use crate::block::Op;
use crate::block::wrap::{Fault, FaultAction, FaultPlan, FaultRule, Pick};

fn fault(rule: FaultRule) -> Fault {
    Fault::new(mem(1 << 20), FaultPlan::new(7).rule(rule))
}

#[test]
fn the_third_write_fails_and_no_other() {
    let rule = FaultRule::new(FaultAction::Fail(ErrorKind::NoSpace)).on(Op::Write);
    let device = fault(rule.pick(Pick::Nth(3)));
    let mut lab = Lab::on(&device);
    let results = [1, 2, 3, 4].map(|n| {
        assert!(lab.reads(0, 512, n - 1 - u8::from(n == 4)));
        lab.write(0, 512, n).map_err(|e| (e.kind, e.offset, e.len))
    });
    let third = Err((ErrorKind::NoSpace, 0, 512));
    assert_eq!(results, [Ok(Outcome::Done), Ok(Outcome::Done), third, Ok(Outcome::Done)]);
    assert_eq!(device.fired(), [1]);
}

#[test]
fn ranges_periods_and_counts_limit_a_rule() {
    let rule = FaultRule::new(FaultAction::Fail(ErrorKind::Media)).within(4096..8192);
    let device = fault(rule.pick(Pick::Every(2)).times(2));
    let mut lab = Lab::on(&device);
    let inside: Vec<bool> = (0..8).map(|_| lab.read(3584, 1024).is_err()).collect();
    assert_eq!(inside, [false, true, false, true, false, false, false, false]);
    assert!((0..4).all(|_| lab.read(8192, 512).is_ok() && lab.read(3584, 512).is_ok()));
    assert!(lab.run(Io::flush()).result.is_ok(), "a flush touches no bytes");
}

#[test]
fn a_delay_lasts_from_the_submission() {
    let device = fault(FaultRule::new(FaultAction::Delay { ns: 5000 }));
    let mut lab = Lab::on(&device);
    lab.submit(Io::flush().with_tag(1));
    lab.core.clock().advance_to(2000);
    lab.submit(Io::flush().with_tag(2));
    assert!(lab.poll().is_empty());
    assert_eq!((lab.channel.in_flight(), lab.channel.wait_source()), (2, WaitSource::Until(5000)));
    assert_eq!(lab.run_dry(), [(5000, 1), (7000, 2)]);
}

#[test]
fn a_stall_answers_nothing_until_it_ends() {
    let stall = FaultAction::Stall { period_ns: 1_000_000, stall_ns: 100_000 };
    let device = fault(FaultRule::new(stall));
    let mut lab = Lab::on(&device);
    let mut times = Vec::new();
    for (tag, at) in [0, 899_999, 900_000, 1_950_000].into_iter().enumerate() {
        lab.core.clock().advance_to(at);
        lab.submit(Io::flush().with_tag(tag as u64));
        times.extend(lab.run_dry());
    }
    assert_eq!(times, [(0, 0), (899_999, 1), (1_000_000, 2), (2_000_000, 3)]);
}

#[test]
fn a_dropped_request_stays_in_flight_and_keeps_its_memory() {
    let device = fault(FaultRule::new(FaultAction::Drop).pick(Pick::Nth(1)));
    let mut lab = Lab::on(&device);
    lab.submit(Io::write(0, lab.lease(512, 4)));
    assert!(lab.run_dry().is_empty());
    assert_eq!((lab.channel.in_flight(), lab.channel.wait_source()), (1, WaitSource::Ring));
    assert!(lab.reads(0, 512, 4), "it reached the device");
    assert_eq!(lab.core.arena().region().in_use(1), 1);
}

#[test]
fn a_torn_write_leaves_a_prefix_and_gives_the_payload_back_whole() {
    let lens = [1000, 4096 + 24, 3072];
    let mut prefixes = Vec::new();
    for seed in 0..20 {
        let rule = FaultRule::new(FaultAction::Torn).on(Op::Write);
        let device = Fault::new(mem(1 << 20), FaultPlan::new(seed).rule(rule));
        let mut lab = Lab::on(&device);
        let mut list = SegmentList::with_capacity(3);
        lens.iter().for_each(|len| list.push(lab.lease(*len, 6)).unwrap());
        let completion = lab.run(Io::write(2048, Payload::Many(Box::new(list))));
        assert_eq!(kind(&completion.result), ErrorKind::Aborted { maybe_written: true });
        assert!(completion.payload.segments().iter().map(|s| s.len()).eq(lens));
        let bytes = lab.read(2048, 8192).unwrap();
        let written = bytes.iter().take_while(|b| **b == 6).count();
        assert!(bytes[written..].iter().all(|b| *b == 0));
        prefixes.push(written);
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    assert_eq!(prefixes, [0, 2048, 6144]);
}

#[test]
fn a_misdirected_error_names_the_place_that_was_asked_for() {
    let device = fault(FaultRule::new(FaultAction::Misdirect { to: 1 << 30 }));
    let mut lab = Lab::on(&device);
    let error = lab.write(512, 512, 1).unwrap_err();
    assert_eq!((error.kind, error.offset), (ErrorKind::Range, 512));
}

#[test]
fn reordered_completions_all_come_and_one_seed_gives_one_order() {
    let order = |seed| {
        let rule = FaultRule::new(FaultAction::Reorder { window: 8 });
        let device = Fault::new(mem(1 << 20), FaultPlan::new(seed).rule(rule));
        let mut lab = Lab::on(&device);
        (0..20).for_each(|tag| lab.submit(Io::flush().with_tag(tag)));
        lab.run_dry().into_iter().map(|(_, tag)| tag).collect::<Vec<u64>>()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
    let mut sorted = order(1);
    assert_ne!(sorted, (0..20).collect::<Vec<u64>>());
    sorted.sort_unstable();
    assert_eq!(sorted, (0..20).collect::<Vec<u64>>());
}

#[test]
fn a_chance_is_about_what_it_says() {
    let rule = FaultRule::new(FaultAction::Fail(ErrorKind::Transient));
    let device = fault(rule.pick(Pick::PerMillion(100_000)));
    let mut lab = Lab::on(&device);
    for _ in 0..1000 {
        lab.submit(Io::flush());
    }
    let failed = lab.poll().iter().filter(|c| c.result.is_err()).count();
    assert_eq!((failed as u64, device.fired()), (device.fired()[0], vec![failed as u64]));
    assert!((50..150).contains(&failed), "{failed} of 1000");
}

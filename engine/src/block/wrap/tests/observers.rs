use super::*;
use crate::block::Op;
use crate::block::wrap::{Fault, FaultAction, FaultPlan, FaultRule, Pick, Stats, Trace};

fn slow_and_flaky(seed: u64) -> Arc<Fault> {
    let plan = FaultPlan::new(seed)
        .rule(FaultRule::new(FaultAction::Jitter { ns_max: 1000 }))
        .rule(FaultRule::new(FaultAction::Fail(ErrorKind::Media)).pick(Pick::Nth(3)));
    Arc::new(Fault::new(mem(1 << 20), plan))
}

#[test]
fn stats_of_all_channels_add_up() {
    let plan = FaultPlan::new(0)
        .rule(FaultRule::new(FaultAction::Delay { ns: 5000 }).on(Op::Write))
        .rule(FaultRule::new(FaultAction::Fail(ErrorKind::NoSpace)).within(8192..12288));
    let stats = Stats::new(Arc::new(Fault::new(mem(1 << 20), plan)));
    let handle = stats.handle();
    for _ in 0..2 {
        let mut lab = Lab::on(&stats);
        assert!(lab.reads(4096, 512, 0));
        for offset in [0, 8192] {
            lab.submit(Io::write(offset, lab.lease(4096, 1)));
        }
        lab.run_dry();
        let _ = handle.snapshot();
    }
    let snapshot = handle.snapshot();
    let writes = snapshot.get(Op::Write).unwrap();
    assert_eq!((writes.ios, writes.bytes, writes.errors), (2, 8192, 2));
    assert_eq!((writes.latency_ns.len(), writes.latency_ns.max() / 100), (4, 50));
    assert_eq!(snapshot.get(Op::Read).unwrap().bytes, 1024);
    assert!(snapshot.get(Op::Discard).is_none());
}

#[test]
fn a_refused_submission_is_not_counted_and_keeps_its_tag() {
    let stats = Stats::new(mem(1 << 20));
    let trace = Trace::new(Arc::new(stats), 1);
    let mut lab = Lab::on(&trace);
    let depth = trace.info().depth_max;
    (0..depth).for_each(|tag| lab.submit(Io::flush().with_tag(u64::from(tag))));
    assert_eq!(lab.channel.submit(Io::flush().with_tag(77)).unwrap_err().tag, 77);
    let done = lab.poll();
    assert!(done.iter().map(|c| c.tag).eq(0..u64::from(depth)));
    assert_eq!((trace.handle().count(), lab.channel.in_flight()), (u64::from(depth), 0));
}

#[test]
fn a_trace_remembers_the_last_events_as_json() {
    let trace = Trace::new(slow_and_flaky(1), 2);
    let mut lab = Lab::on(&trace);
    lab.core.clock().advance_to(10);
    for offset in [0, 4096, 8192] {
        lab.submit(Io::write(offset, lab.lease(512, 1)));
        lab.run_dry();
    }
    assert_eq!(trace.handle().count(), 3);
    let mut text = Vec::new();
    trace.handle().write_json_lines(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains(r#""op":"write","offset":4096,"len":512,"result":"ok"}"#));
    assert!(lines[1].contains("medium error (fault: as planned)\"}"), "{}", lines[1]);
}

fn hash_of_a_run(seed: u64, second: u64) -> u64 {
    let trace = Trace::new(slow_and_flaky(seed), 0);
    let mut lab = Lab::on(&trace);
    for offset in [0, second, 4096, 8192] {
        lab.submit(Io::read(offset, lab.lease(512, 0)));
    }
    lab.run_dry();
    trace.handle().hash()
}

#[test]
fn one_seed_gives_one_hash() {
    assert_eq!(hash_of_a_run(1, 512), hash_of_a_run(1, 512));
    assert_ne!(hash_of_a_run(1, 512), hash_of_a_run(2, 512));
    assert_ne!(hash_of_a_run(1, 512), hash_of_a_run(1, 1024));
}

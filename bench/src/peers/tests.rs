//! Peers without running any: command lines, reading, ratios; and programs that only print.

use std::path::Path;

use super::fio::batches;
use super::libiscsi::{args, from_iscsi_perf};
use super::*;
use crate::job::{JobWords, RunSpec};

fn spec(pairs: &[(&str, &str)]) -> RunSpec {
    let mut words = JobWords::default();
    pairs.iter().for_each(|(key, word)| words.set(key, *word).unwrap());
    RunSpec::parse(&words, &[]).unwrap()
}

/// A program that prints a ceiling's result.
fn printing(name: &str, iops: f64) -> Contender {
    Contender {
        name: name.into(),
        version: "1".into(),
        program: "echo".into(),
        args: vec![format!("{{\"iops\":{iops},\"cpu_ns_per_io\":{}}}", 1e9 / iops)],
        read: from_ceiling,
        server: None,
    }
}

fn only(contender: Contender) -> Choice {
    Choice { name: contender.name.clone(), candidates: vec![contender] }
}

#[test]
fn ratios_are_ours_over_theirs_and_targets_look_at_the_lower_end() {
    let peers = vec![only(printing("fio-io_uring", 100.0)), only(printing(CEILING_NAME, 125.0))];
    let result = measure(printing("byway", 110.0), peers, 5, &|_| {}).unwrap();
    assert!(result.rows[0].iops_ratio.is_none());
    let fio = &result.rows[1];
    assert!((fio.iops_ratio.unwrap().value - 1.1).abs() < 1e-9);
    assert!((fio.cpu_ratio.unwrap().low - 1.0 / 1.1).abs() < 1e-9);
    assert_eq!((fio.rounds.len(), result.ceiling_counts()), (5, Some(true)));
    let met = |word| {
        let target = target(word).unwrap();
        target
            .rows(&result)
            .map(|row| (row.name.clone(), target.is_met_by(row)))
            .collect::<Vec<_>>()
    };
    assert_eq!(met("1.09"), [("fio-io_uring".to_owned(), true)]);
    assert_eq!(met("fio-io_uring=1.11"), [("fio-io_uring".to_owned(), false)]);
    assert_eq!(met("ceiling=0.8"), [("ceiling".to_owned(), true)]);
    assert_eq!(met("cpu:0.92"), [("fio-io_uring".to_owned(), true)]);
    assert_eq!(met("cpu:fio-io_uring=0.9"), [("fio-io_uring".to_owned(), false)]);
    let table = peers_table(&result, &[target("1.2").unwrap()]);
    assert!(table.contains("NOT met") && table.contains("echo"), "{table}");
}

#[test]
fn a_trial_chooses_the_fastest() {
    let candidates = [90.0, 120.0, 100.0].map(|iops| printing("peer", iops));
    let choice = Choice { name: "peer".into(), candidates: candidates.into() };
    let told = std::cell::RefCell::new(0);
    let result = measure(printing("byway", 60.0), vec![choice], 5, &|_| *told.borrow_mut() += 1);
    assert_eq!(result.unwrap().rows[1].iops, 120.0);
    assert_eq!(told.into_inner(), 3 + 10);
}

#[test]
fn a_program_that_fails_is_named_with_its_command_line() {
    let failing = Contender { program: "false".into(), ..printing("bad", 1.0) };
    let message = failing.run().unwrap_err().to_string();
    assert!(message.starts_with("bad: ended with") && message.contains("false "), "{message}");
    let missing = Contender { program: "no-such-program".into(), ..printing("gone", 1.0) };
    assert!(missing.run().is_err());
    let message = program_version("no-such-program", "install it").unwrap_err().to_string();
    assert_eq!(message, "no-such-program: not installed; install it");
    let nonsense = Contender { args: vec!["hello".into()], ..printing("odd", 1.0) };
    assert!(nonsense.run().is_err());
}

#[test]
fn command_lines_are_shown_as_a_shell_takes_them() {
    let contender =
        Contender { args: vec!["a b".into(), "it's".into(), "--x=1".into()], ..printing("p", 1.0) };
    assert_eq!(contender.command(), "echo 'a b' 'it'\\''s' --x=1");
}

#[test]
fn batches_are_few_and_fit_the_depth() {
    assert_eq!(batches(1), [1]);
    assert_eq!(batches(32), [1, 8, 16, 32]);
    assert_eq!(batches(2), [1, 2]);
}

#[test]
fn fio_is_asked_for_the_same_work() {
    let run = spec(&[
        ("rw", "randrw"),
        ("mix", "70"),
        ("cores", "1"),
        ("zipf", "1.2"),
        ("warmup", "0s"),
        ("runtime", "3s"),
        ("fua", "true"),
    ]);
    let choices = match fio_contenders(&run, Path::new("/x/a:b"), 1 << 20) {
        Ok(choices) => choices,
        Err(error) => {
            assert!(error.to_string().contains("apt-get install fio"), "{error}");
            return;
        }
    };
    let command = choices[0].candidates[1].command();
    for part in [
        "--ioengine=io_uring",
        "--registerfiles=1",
        "--fixedbufs=1",
        "--direct=1",
        "--rw=randrw",
        "--rwmixread=70",
        "--bs=4096",
        "--iodepth=32",
        "--iodepth_batch_submit=8",
        "--size=1048576",
        "--runtime=3000ms",
        "--cpus_allowed=1",
        "zipf:1.2",
        "--sync=dsync",
        "a\\:b",
    ] {
        assert!(command.contains(part), "{part}: {command}");
    }
    assert!(!command.contains("ramp_time") && !command.contains("--readonly"));
    for (pairs, part) in [([("rate", "5")], "open loop"), ([("verify", "crc32c")], "verif")] {
        let error = fio_contenders(&spec(&pairs), Path::new("/x"), 1).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

/// What iscsi-perf of libiscsi-bin 1.19.0 printed.
const ISCSI_PERF: &str = "iscsi-perf version 0.1 - (c) 2014-2015 by Peter Lieven <pl@\u{138}amp.de>\n\n\
    connected to iscsi://127.0.0.1:13261/iqn.2026-01.org.byway:memory/0\n\
    capacity is 2097152 blocks or 1073741824 byte (1024 MB)\n\
    performing RANDOM READ with 32 parallel requests\n\
    FIXED transfer size of 8 blocks (4096 byte)\nwill run for 2 seconds.\n\n\
    \rlba 91024, iops current 8411 (32 MB/s), iops average 8411 (32 MB/s)     \
    \riops average 8426 (32 MB/s)                             \n\nfinished.\n";

#[test]
fn the_last_average_of_iscsi_perf_counts() {
    assert_eq!(from_iscsi_perf(ISCSI_PERF).unwrap().iops, 8426.0);
    let error = from_iscsi_perf("maximum number of command retries reached...").unwrap_err();
    assert_eq!(error, "iscsi-perf printed no average");
    assert!(from_iscsi_perf("iops average many").is_err());
}

#[test]
fn iscsi_perf_is_asked_for_what_it_can_do() {
    let url = "iscsi://127.0.0.1:3260/iqn.2026-01.org.byway:memory/0";
    let unit = Unit { url, block_len: 512, size: 1 << 30 };
    let line = |pairs: &[(&str, &str)]| args(&spec(pairs), &unit).map(|args| args.join(" "));
    let random = line(&[("rw", "randread"), ("cores", "1"), ("runtime", "1500ms")]).unwrap();
    assert_eq!(random, format!("-c 1 iscsi-perf -r -m 32 -b 8 -t 2 {url}"));
    let long = line(&[("rw", "read"), ("bs", "1m"), ("qd", "4"), ("runtime", "1s")]).unwrap();
    assert_eq!(long, format!("-c 0-1023 iscsi-perf -m 4 -b 2048 -t 2 {url}"));
    for other in [("rw", "randwrite"), ("rate", "5"), ("zipf", "1.2"), ("size", "1m")] {
        assert_eq!(line(&[("rw", "randread"), other]), None, "{other:?}");
    }
}

#[test]
fn a_ceiling_is_held_against_the_program_that_ran() {
    let counts = |peer: &str, iops: f64| {
        let peers = vec![only(printing(peer, 100.0)), only(printing(CEILING_NAME, iops))];
        measure(printing("byway", 90.0), peers, 5, &|_| {}).unwrap().ceiling_counts()
    };
    assert_eq!(counts(LIBISCSI_NAME, 124.0), Some(false));
    assert_eq!(counts(LIBISCSI_NAME, 126.0), Some(true));
    assert_eq!(counts("fio-io_uring", 111.0), Some(true));
    assert_eq!(counts("other", 900.0), None);
}

#[test]
fn targets_are_ratios() {
    assert_eq!(
        target("fio=1.5"),
        Ok(Target { peer: Some("fio".into()), ratio: 1.5, measure: Measure::Iops })
    );
    for word in ["", "x", "-1", "fio=", "fio=0", "inf"] {
        assert!(target(word).is_err(), "{word}");
    }
}

/// A server by its command line, and a client that does nothing.
fn served(program: &str, args: &[&str]) -> Contender {
    let socket = std::env::temp_dir().join(format!("byway-served-{}", std::process::id()));
    let args = args.iter().map(|word| word.replace("SOCKET", &socket.display().to_string()));
    let server = Server {
        program: program.into(),
        args: args.collect(),
        socket,
        device: None,
        core: None,
        syscalls_per_io: 0.0,
    };
    Contender { server: Some(server), ..printing("served", 100.0) }
}

#[test]
fn a_server_that_does_not_come_up_is_named_with_what_it_says() {
    let message = served("ls", &["/no-such-file"]).run().unwrap_err().to_string();
    assert!(message.contains("cannot access") && message.contains("ls /no-such-file"), "{message}");
}

#[test]
fn what_cannot_be_opened_is_the_servers_to_tell() {
    let mut contender = served("ls", &["/no-such-device"]);
    let server = contender.server.as_mut().unwrap();
    server.device = Some("/no-such-device".into());
    assert!(!super::server::is_held(server.device.as_ref().unwrap()));
    let message = contender.run().unwrap_err().to_string();
    assert!(message.contains("cannot access"), "{message}");
}

#[test]
fn calls_are_those_of_the_last_line() {
    let table = "% time     seconds  usecs/call     calls    errors syscall\n\
        ------ ----------- ----------- --------- --------- ----------------\n \
        60.00    0.000300           3       100         2 read\n\
        ------ ----------- ----------- --------- --------- ----------------\n\
        100.00    0.000500           4       125         2 total\n";
    assert_eq!(super::server::total(table), Some(125));
    assert_eq!(super::server::total(""), None);
}

#[test]
fn latencies_have_targets_of_their_own() {
    let at = |name: &str, p99: u64| Contender {
        args: vec![format!("{{\"iops\":9,\"cpu_ns_per_io\":1,\"p50_ns\":10,\"p99_ns\":{p99}}}")],
        ..printing(name, 1.0)
    };
    let peers = vec![only(at("slow", 200)), only(at(SOCKET_NAME, 50))];
    let result = measure(at("byway", 100), peers, 5, &|_| {}).unwrap();
    let is_met = |word| {
        let target = target(word).unwrap();
        let rows: Vec<_> = target.rows(&result).map(|row| target.is_met_by(row)).collect();
        rows
    };
    assert_eq!((is_met("p99:0.5"), is_met("p99:0.49")), (vec![true], vec![false]));
    assert_eq!((is_met("p50:1"), is_met("p99:socket=1.9")), (vec![true], vec![false]));
    assert!(peers_table(&result, &[]).contains("ours/theirs p99"));
}

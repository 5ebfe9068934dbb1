//! Words to runs, by the command line's way and by the file's.

use byway_engine::block::{BlockDevice, DeviceInfo, null::NullDevice};

use super::*;
use crate::words::{Arrivals, Rate};

fn words(pairs: &[(&str, &str)]) -> JobWords {
    let mut words = JobWords::default();
    pairs.iter().for_each(|(key, word)| words.set(key, *word).unwrap());
    words
}

fn parse(pairs: &[(&str, &str)]) -> Result<RunSpec, String> {
    RunSpec::parse(&words(pairs), &[]).map_err(|e| e.to_string())
}

fn info() -> DeviceInfo {
    NullDevice::new(1 << 20).info()
}

#[test]
fn nothing_said_is_a_random_read() {
    let run = parse(&[]).unwrap();
    assert_eq!((run.runtime_ns, run.warmup_ns, run.seed), (10_000_000_000, 1_000_000_000, 1));
    let job = &run.jobs[0];
    assert_eq!((job.bs, job.qd, job.jobs, job.size, job.rate), (4096, 32, 1, None, None));
    assert_eq!((job.name.as_str(), job.pattern.word()), ("randread", "randread"));
    assert!(!job.verify && !job.fua && job.zipf.is_none() && !job.pattern.writes());
}

#[test]
fn every_key_has_an_effect() {
    let plain = parse(&[]).unwrap();
    let others = [
        ("name", "x"),
        ("rw", "write"),
        ("bs", "8k"),
        ("qd", "1"),
        ("jobs", "2"),
        ("cores", "0"),
        ("size", "1m"),
        ("rate", "5"),
        ("verify", "crc32c"),
        ("zipf", "1.1"),
        ("fua", "true"),
        ("runtime", "1s"),
        ("warmup", "0s"),
        ("seed", "2"),
        ("fill", "true"),
        ("api", "native"),
        ("poll-mode", "never"),
    ];
    for (key, word) in others {
        assert_ne!(parse(&[(key, word)]).unwrap(), plain, "{key}");
    }
    let mixed = parse(&[("rw", "randrw"), ("mix", "70/30")]).unwrap();
    assert_eq!(mixed.jobs[0].pattern.read_percent, 70);
    assert_eq!(KEYS.len(), others.len() + 1, "a key without a test");
}

#[test]
fn errors_name_the_key_and_the_word() {
    let bad = [
        ("qd", "4097", "at most 4096"),
        ("qd", "0", "from 1"),
        ("bs", "4m", "more than 2m"),
        ("bs", "0", "no bytes"),
        ("jobs", "257", "at most 256"),
        ("rw", "reed", "randread"),
        ("mix", "70/40", "percentage"),
        ("mix", "101", "percentage"),
        ("runtime", "10", "unit"),
        ("runtime", "0s", "nothing"),
        ("verify", "md5", "crc32c"),
        ("zipf", "0", "1.1"),
        ("zipf", "nan", "exponent"),
        ("api", "fast", "native"),
        ("poll-mode", "on", "adaptive"),
        ("name", "a b", "letters"),
        ("fua", "yes", "true"),
        ("seed", "-1", "number"),
        ("size", "0", "1g"),
        ("cores", "9-1", "0,2-3"),
    ];
    for (key, word, part) in bad {
        let message = parse(&[(key, word)]).unwrap_err();
        assert!(message.starts_with(key) && message.contains(part), "{key} {word}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn words_that_contradict_each_other_are_refused() {
    let message = parse(&[("qd", "4096"), ("bs", "2m")]).unwrap_err();
    assert!(message.contains("4g of buffers"), "{message}");
    assert!(parse(&[("rw", "read"), ("zipf", "1.1")]).unwrap_err().contains("sequential"));
    assert!(parse(&[("rate", "3"), ("jobs", "4")]).unwrap_err().contains("less than one"));
}

#[test]
fn a_job_file_has_the_same_words() {
    let text = "runtime = \"2s\"\nbs = \"8k\"\n\n[[job]]\nname = \"readers\"\nqd = 4\nrate = 1000\n\
                \n[[job]]\nrw = \"randwrite\"\nbs = 4096\nzipf = 1.5\nfua = true\n";
    let (run, jobs) = job_file(text).unwrap();
    let run = RunSpec::parse(&words(&[("seed", "9")]).over(&run), &jobs).unwrap();
    assert_eq!((run.runtime_ns, run.seed, run.jobs.len()), (2_000_000_000, 9, 2));
    assert_eq!((run.jobs[0].bs, run.jobs[0].qd, run.jobs[1].bs), (8192, 4, 4096));
    let rate = Rate { per_second: 1000, arrivals: Arrivals::Uniform };
    assert_eq!((run.jobs[0].rate, run.jobs[1].rate), (Some(rate), None));
    assert!(run.jobs[1].fua && run.jobs[1].zipf == Some(1.5));
}

#[test]
fn job_files_with_mistakes_are_refused() {
    for (text, part) in [
        ("blocksize = 4096\n", "'blocksize'"),
        ("[[job]]\nblocksize = 4096\n", "'blocksize'"),
        ("[[job]]\nruntime = \"1s\"\n", "whole run"),
        ("bs = [1]\n", "array"),
        ("job = 3\n", "[[job]]"),
        ("\n\nbs = = 3\n", "line 3"),
    ] {
        let message = job_file(text).unwrap_err().to_string();
        assert!(message.contains(part), "{text}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    assert!(job_file(&" ".repeat(JOB_FILE_MAX + 1)).is_err());
}

#[test]
fn a_device_that_does_not_fit_is_named() {
    let check = |pairs: &[(&str, &str)], info: DeviceInfo| {
        parse(pairs).unwrap().check_device(&info).map_err(|e| e.to_string())
    };
    assert_eq!(check(&[], info()), Ok(()));
    let few = DeviceInfo { depth_max: 16, io_len_max: 4096, ..info() };
    for (pairs, info, part) in [
        (vec![("size", "2m")], info(), "shorter than --size 2m"),
        (vec![("bs", "1000")], info(), "multiple of 512"),
        (vec![("bs", "2m")], info(), "hold no block"),
        (vec![("qd", "17")], few.clone(), "--qd 16 or less"),
        (vec![("qd", "1"), ("bs", "8k")], few, "--bs 4k"),
        (vec![("rw", "randrw")], DeviceInfo { read_only: true, ..info() }, "read-only"),
        (vec![("verify", "crc32c"), ("qd", "257")], info(), "256 blocks per thread"),
        (vec![("verify", "crc32c")], DeviceInfo { size: 1 << 40, ..info() }, "at most 67108864"),
    ] {
        let message = check(&pairs, info).unwrap_err();
        assert!(message.starts_with("null:") && message.contains(part), "{message}");
    }
}

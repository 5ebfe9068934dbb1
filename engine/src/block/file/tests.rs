//! Against real files: direct and buffered, aligned and not, with every feature forced off once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::{BOUNCE_LEN_MAX, FileDevice, FileOptions};
use crate::api::PollQueue;
use crate::block::{
    BlockDevice, DeviceEvent, ExtentKind, Io, IoResult, Outcome, Payload, SegmentList,
};
use crate::core::{CoreConfig, PollMode};
use crate::error::ErrorKind;
use crate::memory::{ArenaConfig, Lease};
use crate::ring::{Feature, FeatureSet};

/// A file that is removed with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new(len: u64) -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("byway-file-{}-{n}", std::process::id()));
        fs::File::create(&path).unwrap().set_len(len).unwrap();
        Scratch(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

fn config() -> CoreConfig {
    let arena = ArenaConfig { len: 16 << 20, huge: false };
    CoreConfig { arena, poll_mode: PollMode::Never, ..CoreConfig::default() }
}

fn open(scratch: &Scratch, options: FileOptions) -> PollQueue {
    let device = FileDevice::open(scratch.path(), options).unwrap();
    PollQueue::open(&device, &config()).unwrap()
}

fn filled(queue: &PollQueue, bytes: &[u8]) -> Lease {
    let mut lease = queue.lease(bytes.len() as u32).unwrap();
    lease.copy_from_slice(bytes);
    lease
}

fn write(queue: &mut PollQueue, offset: u64, bytes: &[u8]) -> IoResult {
    let lease = filled(queue, bytes);
    queue.run_one(Io::write(offset, lease)).0
}

fn read(queue: &mut PollQueue, offset: u64, len: u32) -> Vec<u8> {
    let lease = queue.lease(len).unwrap();
    let (result, payload) = queue.run_one(Io::read(offset, lease));
    result.unwrap();
    payload.into_lease().unwrap().to_vec()
}

fn kind_of(result: IoResult) -> ErrorKind {
    result.unwrap_err().kind
}

#[test]
fn what_was_written_is_read_with_every_feature_forced_off_once() {
    for off in Feature::ALL.into_iter().map(Some).chain([None]) {
        let scratch = Scratch::new(1 << 20);
        let device = FileDevice::open(scratch.path(), FileOptions::default()).unwrap();
        let features_off: FeatureSet = off.into_iter().collect();
        let config = CoreConfig { features_off, ..config() };
        let mut queue = PollQueue::open(&device, &config).unwrap();
        assert!(off.is_none_or(|off| !queue.core().features().has(off)), "{off:?} is off");
        let bytes: Vec<u8> = (0..8192u32).map(|i| (i * 7 % 251) as u8).collect();
        write(&mut queue, 4096, &bytes).unwrap();
        queue.run_one(Io::flush()).0.unwrap();
        assert_eq!(read(&mut queue, 4096, 8192), bytes, "without {off:?}");
    }
}

#[test]
fn many_segments_are_gathered_and_scattered() {
    let scratch = Scratch::new(1 << 20);
    let mut queue = open(&scratch, FileOptions::default());
    let mut list = SegmentList::with_capacity(8);
    for n in 0..8u8 {
        list.push(filled(&queue, &[n + 1; 4096])).unwrap();
    }
    let (result, payload) = queue.run_one(Io::write(65536, Payload::Many(Box::new(list))));
    result.unwrap();
    let (result, payload) = queue.run_one(Io::read(65536 + 4096, keep(payload, 7)));
    result.unwrap();
    for (n, segment) in payload.segments().iter().enumerate() {
        let mut bytes = [0; 4096];
        segment.copy_to(0, &mut bytes);
        assert!(bytes.iter().all(|&b| b == n as u8 + 2), "segment {n}");
    }
}

fn keep(payload: Payload, n: usize) -> Payload {
    let Payload::Many(mut list) = payload else { panic!("a list comes back as a list") };
    let mut kept = SegmentList::with_capacity(n);
    list.drain().take(n).for_each(|segment| kept.push(segment).unwrap());
    Payload::Many(Box::new(kept))
}

#[test]
fn a_write_of_one_byte_leaves_its_neighbours() {
    let scratch = Scratch::new(1 << 20);
    let mut queue = open(&scratch, FileOptions::default());
    write(&mut queue, 0, &[1; 8192]).unwrap();
    write(&mut queue, 4095, &[2, 2]).unwrap();
    let got = read(&mut queue, 4093, 6);
    assert_eq!(got, [1, 1, 2, 2, 1, 1]);
}

#[test]
fn compare_and_write_writes_only_on_a_match() {
    let scratch = Scratch::new(1 << 20);
    let mut queue = open(&scratch, FileOptions::default());
    write(&mut queue, 512, &[7; 512]).unwrap();
    let pair = |old: u8, new: u8| [[old; 512], [new; 512]].concat();
    let lease = filled(&queue, &pair(7, 8));
    queue.run_one(Io::compare_and_write(512, lease).with_fua()).0.unwrap();
    let mut wrong = pair(8, 9);
    wrong[100] = 0;
    let lease = filled(&queue, &wrong);
    let result = queue.run_one(Io::compare_and_write(512, lease)).0;
    assert_eq!(kind_of(result), ErrorKind::Miscompare { at: 100 });
    assert_eq!(read(&mut queue, 512, 512), [8; 512]);
}

#[test]
fn zeroes_and_discards_read_as_zeroes_and_leave_the_rest() {
    let scratch = Scratch::new(1 << 20);
    let mut queue = open(&scratch, FileOptions::default());
    for (unmap, at, len) in [(true, 8192, 8192), (false, 8192, 8192), (false, 9000, 100)] {
        write(&mut queue, 0, &[5; 32768]).unwrap();
        queue.run_one(Io::write_zeroes(at, len, unmap).with_fua()).0.unwrap();
        let (start, end) = (at as usize, (at + len) as usize);
        let got = read(&mut queue, 0, 32768);
        let right = |(i, &b): (usize, &u8)| b == if (start..end).contains(&i) { 0 } else { 5 };
        assert!(got.iter().enumerate().all(right), "unmap {unmap}, {len} bytes at {at}");
    }
    queue.run_one(Io::discard(0, 16384)).0.unwrap();
    assert_eq!(read(&mut queue, 16384, 512), [5; 512]);
}

#[test]
fn block_status_shows_holes() {
    let scratch = Scratch::new(1 << 20);
    let mut queue = open(&scratch, FileOptions::default());
    write(&mut queue, 65536, &[1; 65536]).unwrap();
    let (result, _) = queue.run_one(Io::block_status(0, 1 << 20));
    let Ok(Outcome::Extents(extents)) = result else { panic!("extents, not {result:?}") };
    let shape: Vec<_> = extents.iter().map(|e| (e.offset, e.len, e.kind)).collect();
    let (data, hole) = (ExtentKind::Data, ExtentKind::Hole);
    let rest = (131072, (1 << 20) - 131072, hole);
    assert_eq!(shape, [(0, 65536, hole), (65536, 65536, data), rest]);
}

#[test]
fn requests_outside_of_the_device_or_its_rights_are_refused() {
    let scratch = Scratch::new(1 << 20);
    let mut queue = open(&scratch, FileOptions::default());
    assert_eq!(kind_of(write(&mut queue, (1 << 20) - 512, &[0; 1024])), ErrorKind::Range);
    assert_eq!(kind_of(queue.run_one(Io::discard(u64::MAX, 2)).0), ErrorKind::Range);
    let mut list = SegmentList::with_capacity(2);
    list.push(queue.lease(BOUNCE_LEN_MAX).unwrap()).unwrap();
    let scratch = Scratch::new(8 << 20);
    let mut queue = open(&scratch, FileOptions::default());
    let error = queue.run_one(Io::read(1, Payload::Many(Box::new(list)))).0.unwrap_err();
    assert!(error.to_string().contains("BOUNCE_LEN_MAX"), "{error}");
    let mut queue = open(&scratch, FileOptions { read_only: true, ..FileOptions::default() });
    assert_eq!(kind_of(write(&mut queue, 0, &[0; 512])), ErrorKind::ReadOnly);
}

#[test]
fn a_file_that_shrank_gives_an_error_and_not_old_bytes() {
    let scratch = Scratch::new(1 << 20);
    let mut queue = open(&scratch, FileOptions::default());
    fs::File::options().write(true).open(scratch.path()).unwrap().set_len(4096).unwrap();
    let lease = queue.lease(4096).unwrap();
    let error = queue.run_one(Io::read(65536, lease)).0.unwrap_err();
    assert!(error.to_string().contains("ended early"), "{error}");
}

#[test]
fn a_resized_file_tells_its_channels() {
    let scratch = Scratch::new(1 << 20);
    let device = FileDevice::open(scratch.path(), FileOptions::default()).unwrap();
    let mut queue = PollQueue::open(&device, &config()).unwrap();
    fs::File::options().write(true).open(scratch.path()).unwrap().set_len(2 << 20).unwrap();
    assert_eq!(queue.take_event(), None);
    device.rescan().unwrap();
    assert_eq!(queue.take_event(), Some(DeviceEvent::Resized { size: 2 << 20 }));
    assert_eq!(queue.take_event(), None);
    write(&mut queue, (2 << 20) - 512, &[1; 512]).unwrap();
}

#[test]
fn what_cannot_be_opened_says_why_and_what_helps() {
    let open = |scratch: &Scratch| {
        let opened = FileDevice::open(scratch.path(), FileOptions::default());
        opened.err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert!(open(&Scratch::new(0)).contains("truncate"));
    assert!(open(&Scratch::new(1000)).contains("truncate -s 1024"));
    let missing = FileDevice::open(Path::new("/nonexistent/disk"), FileOptions::default());
    assert!(missing.err().unwrap().to_string().contains("create it first"));
    let folder = FileDevice::open(&std::env::temp_dir(), FileOptions::default());
    assert!(folder.err().unwrap().to_string().contains("neither a regular file"));
}

#[test]
fn dropping_a_queue_with_requests_in_flight_ends_them_first() {
    let scratch = Scratch::new(4 << 20);
    let mut queue = open(&scratch, FileOptions::default());
    for n in 0..64u64 {
        let lease = filled(&queue, &[n as u8; 4096]);
        queue.submit(Io::write(n * 4096, lease)).unwrap();
    }
    let mut done = Vec::new();
    queue.poll(&mut done);
    drop(queue);
    let mut queue = open(&scratch, FileOptions::default());
    write(&mut queue, 4100, &[9; 8]).unwrap();
    assert_eq!(read(&mut queue, 4100, 8), [9; 8]);
}

/// Two cores write neighbouring parts of the same blocks: each must find its own bytes.
#[test]
fn unaligned_writes_of_two_cores_lose_nothing() {
    let scratch = Scratch::new(1 << 20);
    let device = Arc::new(FileDevice::open(scratch.path(), FileOptions::default()).unwrap());
    let writer = |me: u8| {
        let device = Arc::clone(&device);
        move || {
            let mut queue = PollQueue::open(&*device, &config()).unwrap();
            for round in 0..50u64 {
                let at = round % 4 * 512 + u64::from(me) * 100;
                write(&mut queue, at, &[me + 1; 100]).unwrap();
                // Whole blocks right behind, which the other core's bounce must not undo.
                let own = 8192 + u64::from(me) * 512;
                write(&mut queue, own, &[round as u8; 512]).unwrap();
                write(&mut queue, 8192 + 1024 - 8 + u64::from(me) * 8, &[me; 8]).unwrap();
                assert_eq!(read(&mut queue, at, 100), [me + 1; 100]);
            }
        }
    };
    let threads = [0, 1].map(|me| std::thread::spawn(writer(me)));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let mut queue = PollQueue::open(&*device, &config()).unwrap();
    let got = read(&mut queue, 0, 2048);
    for block in got.chunks(512) {
        assert!(block[..100] == [1; 100] && block[100..200] == [2; 100]);
        assert!(block[200..].iter().all(|&b| b == 0));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(u64, Vec<u8>),
    Read(u64, u32),
    Zero(u64, u64, bool),
}

const MODEL_LEN: u64 = 64 << 10;

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..MODEL_LEN - 1).prop_flat_map(|at| (Just(at), 1..(MODEL_LEN - at).min(9000)));
    let bytes = |(at, len): (u64, u64)| (Just(at), prop::collection::vec(1u8.., len as usize));
    prop_oneof![
        place().prop_flat_map(bytes).prop_map(|(at, bytes)| Step::Write(at, bytes)),
        place().prop_map(|(at, len)| Step::Read(at, len as u32)),
        (place(), any::<bool>()).prop_map(|((at, len), unmap)| Step::Zero(at, len, unmap)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_sequence_of_requests_acts_like_an_array(
        steps in prop::collection::vec(step(), 1..40),
        direct in any::<bool>(),
    ) {
        let scratch = Scratch::new(MODEL_LEN);
        let mut queue = open(&scratch, FileOptions { direct, ..FileOptions::default() });
        let mut model = vec![0; MODEL_LEN as usize];
        for step in steps {
            match step {
                Step::Write(at, bytes) => {
                    write(&mut queue, at, &bytes).unwrap();
                    model[at as usize..][..bytes.len()].copy_from_slice(&bytes);
                }
                Step::Read(at, len) => {
                    let expected = &model[at as usize..][..len as usize];
                    prop_assert_eq!(read(&mut queue, at, len), expected);
                }
                Step::Zero(at, len, unmap) => {
                    queue.run_one(Io::write_zeroes(at, len, unmap)).0.unwrap();
                    model[at as usize..][..len as usize].fill(0);
                }
            }
        }
    }
}

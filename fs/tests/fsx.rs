//! Random operations on files against plain vectors of bytes: through several channels, in sectors,
//! blocks and bytes, on clones, across closing and opening.
//!
//! `BYWAY_FSX_STEPS` sets the operations of each of the six seeds.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod files;

use std::sync::Arc;

use byway_engine::api::Disk;
use byway_engine::block::mem::MemDevice;
use byway_engine::block::wrap::SplitMix64;
use byway_engine::block::{BlockDevice, Io, Payload, SegmentList};
use byway_fs::file::{File, Policy};
use byway_fs::fsck::{FsckOptions, fsck};

use files::{Bed, make, new_core, run_on};

const BLOCK: u64 = 4096;
const SIZE: u64 = 96 * BLOCK;
const STEPS: u64 = 1200;
/// The longest range of one operation, in bytes.
const LEN_MAX: u64 = 64 << 10;
/// What of a failed run is shown.
const HISTORY: usize = 60;

#[derive(Clone, Copy, Debug)]
enum What {
    Write { fua: bool },
    Read,
    Flush,
    Punch,
    ZeroRange,
    WriteZeroes { unmap: bool },
    Discard,
    Allocate,
    Truncate(u64),
    WriteAt,
    ReadAt,
    Append,
    Clone,
    Reopen,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    what: What,
    file: usize,
    channel: usize,
    at: u64,
    len: u64,
    value: u8,
}

struct Open {
    file: File,
    disks: Vec<Disk>,
    bytes: Vec<u8>,
    has_name: bool,
}

struct Fsx {
    bed: Bed,
    random: SplitMix64,
    open: Vec<Open>,
    history: Vec<Step>,
}

impl Fsx {
    fn below(&mut self, n: u64) -> u64 {
        self.random.next_u64() % n
    }

    fn choose(&mut self) -> What {
        let yes = self.below(2) == 0;
        match self.below(100) {
            0..33 => What::Write { fua: self.below(20) == 0 },
            33..66 => What::Read,
            66..71 => What::Flush,
            71..74 => What::Punch,
            74..76 => What::ZeroRange,
            76..81 => What::WriteZeroes { unmap: yes },
            81..83 => What::Discard,
            83..85 => What::Allocate,
            85..88 => What::Truncate(self.below(SIZE)),
            88..92 => What::WriteAt,
            92..95 => What::ReadAt,
            95..97 => What::Append,
            97..99 => What::Clone,
            _ => What::Reopen,
        }
    }

    /// A step that makes sense, if the file is long enough for one.
    fn next(&mut self) -> Option<Step> {
        let what = self.choose();
        let file = self.below(self.open.len() as u64) as usize;
        let channel = self.below(self.open[file].disks.len() as u64) as usize;
        let unit = match what {
            What::Write { .. } | What::Read | What::WriteZeroes { .. } => [512, BLOCK],
            What::Discard => [BLOCK, BLOCK],
            _ => [1, 1],
        };
        let unit = unit[self.below(2) as usize];
        let size = match what {
            What::WriteAt => SIZE,
            _ => self.open[file].bytes.len() as u64,
        };
        let units = size / unit;
        if units == 0 {
            return None;
        }
        let first = self.below(units);
        let len = 1 + self.below((units - first).min(LEN_MAX / unit));
        let value = self.below(255) as u8 + 1;
        Some(Step { what, file, channel, at: first * unit, len: len * unit, value })
    }

    /// A payload in pieces of odd sizes.
    fn payload(&mut self, bytes: &[u8]) -> Payload {
        let mut list = Box::new(SegmentList::with_capacity(8));
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = rest.len().min(512 * (1 + self.below(40) as usize));
            let (now, later) = rest.split_at(most);
            let mut lease = self.bed.core.lease(now.len() as u32).unwrap();
            lease.copy_from_slice(now);
            list.push(lease).unwrap();
            rest = later;
        }
        Payload::Many(list)
    }

    fn apply(&mut self, step: Step) {
        let Step { what, file, channel, at, len, .. } = step;
        let disk = self.open[file].disks[channel].clone();
        match what {
            What::Write { fua } => self.write(step, &disk, fua),
            What::Read => self.read(step, &disk),
            What::Flush => drop(self.bed.submit(&disk, Io::flush()).result.unwrap()),
            What::WriteZeroes { unmap } => {
                self.bed.submit(&disk, Io::write_zeroes(at, len, unmap)).result.unwrap();
                self.zero(step);
            }
            What::Discard => {
                self.bed.submit(&disk, Io::discard(at, len)).result.unwrap();
                self.zero(step);
            }
            What::Clone => self.clone_file(file),
            What::Reopen => self.reopen(file),
            _ => self.errand(step),
        }
    }

    fn errand(&mut self, step: Step) {
        let Step { what, file: which, at, len, value, .. } = step;
        let file = self.open[which].file.clone();
        let bytes = vec![value; len as usize];
        let size = self.open[which].bytes.len();
        let end = at + len;
        let done = async move {
            match what {
                What::Punch => file.punch(at..end).await,
                What::ZeroRange => file.zero_range(at..end).await,
                What::Allocate => file.allocate(at..end).await,
                What::Truncate(to) => file.truncate(to).await,
                What::WriteAt => file.write_at(at, bytes).await,
                What::Append => {
                    let place = file.append(bytes).await?;
                    assert_eq!(place, size as u64);
                    Ok(())
                }
                _ => Ok(()),
            }
        };
        self.bed.run(done).unwrap();
        match what {
            What::Punch | What::ZeroRange => self.zero(step),
            What::Truncate(to) => self.open[which].bytes.resize(to as usize, 0),
            What::WriteAt => self.put(which, at as usize, &vec![value; len as usize]),
            What::Append => self.put(which, size, &vec![value; len as usize]),
            What::ReadAt => self.read_at(step),
            _ => {}
        }
    }

    fn put(&mut self, which: usize, at: usize, bytes: &[u8]) {
        let model = &mut self.open[which].bytes;
        model.resize(model.len().max(at + bytes.len()), 0);
        model[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn zero(&mut self, Step { file, at, len, .. }: Step) {
        self.put(file, at as usize, &vec![0; len as usize]);
    }

    fn write(&mut self, step: Step, disk: &Disk, fua: bool) {
        let bytes: Vec<u8> = (0..step.len).map(|n| step.value ^ (n / 512) as u8).collect();
        let payload = self.payload(&bytes);
        let io = Io::write(step.at, payload);
        self.bed.submit(disk, Io { fua, ..io }).result.unwrap();
        self.put(step.file, step.at as usize, &bytes);
    }

    fn read(&mut self, step: Step, disk: &Disk) {
        let payload = self.payload(&vec![0xee; step.len as usize]);
        let done = self.bed.submit(disk, Io::read(step.at, payload));
        done.result.unwrap();
        let mut bytes = vec![0; step.len as usize];
        done.payload.copy_to(0, &mut bytes);
        self.compare(step, &bytes);
    }

    fn read_at(&mut self, step: Step) {
        let file = self.open[step.file].file.clone();
        let read = async move { file.read_at(step.at, step.len as u32).await };
        let bytes = self.bed.run(read).unwrap();
        self.compare(step, &bytes);
    }

    fn compare(&self, step: Step, seen: &[u8]) {
        let model = &self.open[step.file].bytes;
        let expected = &model[step.at as usize..(step.at + step.len) as usize];
        if let Some(n) = seen.iter().zip(expected).position(|(a, b)| a != b) {
            let from = self.history.len().saturating_sub(HISTORY);
            let (is, not) = (seen[n], expected[n]);
            let place = step.at + n as u64;
            panic!("byte {place} is {is}, not {not}, after {:#?}", &self.history[from..]);
        }
        assert_eq!(seen.len(), expected.len());
    }

    fn clone_file(&mut self, which: usize) {
        if self.open.len() == 4 {
            drop(self.open.pop());
        }
        let Some(Open { file, bytes, .. }) = self.open.get(which) else { return };
        let (file, bytes) = (self.bed.clone_of(file), bytes.clone());
        let disks = (0..2).map(|_| self.bed.disk(&file)).collect();
        self.open.push(Open { file, disks, bytes, has_name: false });
    }

    /// An orphan would end with its last handle.
    fn reopen(&mut self, which: usize) {
        if !self.open[which].has_name {
            return;
        }
        let Open { file, disks, bytes, has_name } = self.open.remove(which);
        drop((file, disks));
        let file = self.bed.open("a");
        let disks = (0..3).map(|_| self.bed.disk(&file)).collect();
        self.open.insert(which, Open { file, disks, bytes, has_name });
    }
}

fn run(seed: u64, steps: u64, policy: Policy) {
    let device: Arc<dyn BlockDevice> = Arc::new(MemDevice::new(256 << 20).unwrap());
    let core = new_core();
    run_on(&core, make(core.clone(), Arc::clone(&device)));
    core.shutdown();
    let bed = Bed::mount(Arc::clone(&device));
    let file = bed.open("a");
    let set = file.clone();
    bed.run(async move { set.set_cache_policy(policy).await }).unwrap();
    let disks = (0..3).map(|_| bed.disk(&file)).collect();
    let open = vec![Open { file, disks, bytes: Vec::new(), has_name: true }];
    let mut fsx = Fsx { bed, random: SplitMix64::new(seed), open, history: Vec::new() };
    for n in 0..steps {
        if let Some(step) = fsx.next() {
            fsx.history.push(step);
            fsx.apply(step);
        } else if n % 8 == 0 {
            let grow =
                Step { what: What::Truncate(SIZE), file: 0, channel: 0, at: 0, len: 0, value: 0 };
            fsx.apply(grow);
        }
    }
    let names = fsx.open.iter().filter(|open| open.has_name).count();
    assert_eq!(names, 1, "seed {seed}");
    let hits = fsx.bed.files.cache_counts().hits;
    assert_eq!(hits > 0, policy == Policy::Read, "seed {seed}");
    fsx.open.clear();
    let (volume, files) = (fsx.bed.volume.clone(), fsx.bed.files.clone());
    let left = async move {
        files.close().await?;
        volume.unmount().await
    };
    fsx.bed.run(left).unwrap();
    let core = fsx.bed.core.clone();
    let check = async move { fsck(&core, &*device, FsckOptions { repair: false }, |_| {}).await };
    let report = fsx.bed.run(check).unwrap();
    assert_eq!(report.findings, [], "seed {seed}");
}

fn steps() -> u64 {
    let set = std::env::var("BYWAY_FSX_STEPS").ok();
    set.and_then(|steps| steps.parse().ok()).unwrap_or(STEPS)
}

#[test]
fn seed_1() {
    run(1, steps(), Policy::None);
}

#[test]
fn seed_2() {
    run(2, steps(), Policy::None);
}

#[test]
fn seed_3() {
    run(3, steps(), Policy::None);
}

#[test]
fn seed_4() {
    run(4, steps(), Policy::None);
}

#[test]
fn seed_5() {
    run(5, steps(), Policy::None);
}

#[test]
fn seed_6_with_the_cache() {
    run(6, steps(), Policy::Read);
}

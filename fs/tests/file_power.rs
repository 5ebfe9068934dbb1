//! Power losses under files: what was flushed is there, and no byte of another file ever appears.

mod files;

use std::sync::Arc;

use byway_engine::api::Disk;
use byway_engine::block::wrap::SplitMix64;
use byway_engine::block::{BlockDevice, Io};
use byway_engine::sim::{DiskConfig, Latency, SimDisk};
use byway_fs::file::File;

use files::{Bed, make, new_core, run_on};

const SECTOR: u64 = 512;
const SECTORS: u64 = 800;
const SIZE: u64 = SECTORS * SECTOR;
const NAMES: [&str; 3] = ["a", "b", "c"];

/// What one sector of a file may hold after a crash.
#[derive(Clone)]
struct Sector {
    durable: u8,
    since: Vec<u8>,
}

struct Known {
    file: File,
    disk: Disk,
    sectors: Vec<Sector>,
    /// The high bits of every byte that the file ever holds, but for zeroes.
    mark: u8,
}

impl Known {
    fn note(&mut self, at: u64, len: u64, value: u8) {
        let range = (at / SECTOR) as usize..((at + len) / SECTOR) as usize;
        self.sectors[range].iter_mut().for_each(|sector| sector.since.push(value));
    }

    /// A flush is done: the newest of each is durable.
    fn settle(&mut self) {
        for sector in &mut self.sectors {
            sector.durable = sector.since.last().copied().unwrap_or(sector.durable);
            sector.since.clear();
        }
    }

    fn check(&self, bed: &Bed, seed: u64) {
        let disk = bed.disk(&self.file);
        for at in (0..SIZE).step_by(40 * SECTOR as usize) {
            let bytes = bed.read(&disk, at, 40 * SECTOR as usize);
            for (n, bytes) in bytes.chunks(SECTOR as usize).enumerate() {
                let place = at / SECTOR + n as u64;
                let known = &self.sectors[place as usize];
                let value = bytes[0];
                assert!(
                    bytes.iter().all(|byte| *byte == value),
                    "seed {seed}: torn sector {place}"
                );
                let is_known = known.durable == value || known.since.contains(&value);
                let (mark, since) = (self.mark, &known.since);
                assert!(
                    is_known,
                    "seed {seed}: file {mark:#x} sector {place} holds {value:#x}, not {:#x} or {since:x?}",
                    known.durable
                );
            }
        }
    }
}

fn step(bed: &Bed, random: &mut SplitMix64, known: &mut Known) {
    let mut below = |n: u64| random.next_u64() % n;
    let unit = [1, 8][below(2) as usize];
    let first = below(SECTORS / unit) * unit;
    let len = (1 + below(16)) * unit;
    let (at, len) = (first * SECTOR, len.min(SECTORS - first) * SECTOR);
    let value = known.mark | below(31) as u8 + 1;
    match below(20) {
        0..14 => {
            let fua = below(12) == 0;
            let mut lease = bed.core.lease(len as u32).unwrap();
            lease.fill(value);
            let io = Io { fua, ..Io::write(at, lease) };
            known.note(at, len, value);
            bed.submit(&known.disk, io).result.unwrap();
            if fua {
                let range = (at / SECTOR) as usize..((at + len) / SECTOR) as usize;
                for sector in &mut known.sectors[range] {
                    sector.durable = value;
                    sector.since.clear();
                }
            }
        }
        14..17 => {
            known.note(at, len, 0);
            let unmap = below(2) == 0;
            bed.submit(&known.disk, Io::write_zeroes(at, len, unmap)).result.unwrap();
        }
        17 => {
            let file = known.file.clone();
            bed.run(async move { file.allocate(at..at + len).await }).unwrap();
        }
        _ => {
            bed.submit(&known.disk, Io::flush()).result.unwrap();
            known.settle();
        }
    }
}

fn open_all(bed: &Bed) -> Vec<(File, Disk)> {
    let files = NAMES.map(|name| bed.open(name));
    files.into_iter().map(|file| (bed.disk(&file), file)).map(|(disk, file)| (file, disk)).collect()
}

fn lose_power(seed: u64) {
    let config = DiskConfig { size: 64 << 20, latency: Latency::fixed(0), ..DiskConfig::default() };
    let sim = SimDisk::new(config, seed);
    let device: Arc<dyn BlockDevice> = Arc::new(sim.clone());
    let core = new_core();
    run_on(&core, make(core.clone(), Arc::clone(&device)));
    core.shutdown();
    let mut random = SplitMix64::new(seed);
    let bed = Bed::mount(Arc::clone(&device));
    let mut known = Vec::new();
    for (n, (file, disk)) in open_all(&bed).into_iter().enumerate() {
        let grown = file.clone();
        bed.run(async move {
            grown.truncate(SIZE).await?;
            grown.flush().await
        })
        .unwrap();
        let sectors = vec![Sector { durable: 0, since: Vec::new() }; SECTORS as usize];
        known.push(Known { file, disk, sectors, mark: (n as u8 + 1) << 5 });
    }
    for _ in 0..60 + random.next_u64() % 200 {
        let which = (random.next_u64() % known.len() as u64) as usize;
        step(&bed, &mut random, &mut known[which]);
    }
    let models: Vec<(Vec<Sector>, u8)> =
        known.iter().map(|known| (known.sectors.clone(), known.mark)).collect();
    // The host goes with the power: what it had in memory is gone, too.
    sim.power_off();
    bed.core.shutdown();
    drop(known);
    drop(bed);
    sim.power_on();
    let bed = Bed::mount(device);
    for ((file, disk), (sectors, mark)) in open_all(&bed).into_iter().zip(models) {
        Known { file, disk, sectors, mark }.check(&bed, seed);
    }
}

#[test]
fn what_was_flushed_is_there_and_nothing_of_others() {
    (0..24).for_each(lose_power);
}

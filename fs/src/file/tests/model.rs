//! Random operations against a plain vector of bytes.

use byway_engine::api::Disk;
use byway_engine::block::wrap::SplitMix64;
use byway_engine::block::{Io, Payload, SegmentList};

use super::lab::{BLOCK, Lab};
use crate::file::File;

const SIZE: u64 = 96 * BLOCK;

struct Run {
    lab: Lab,
    random: SplitMix64,
    files: Vec<(File, Vec<Disk>, Vec<u8>)>,
}

impl Run {
    fn below(&mut self, n: u64) -> u64 {
        self.random.next_u64() % n
    }

    /// A range within a file, of whole units.
    fn range(&mut self, size: u64, unit: u64) -> Option<(u64, u64)> {
        let units = size / unit;
        if units == 0 {
            return None;
        }
        let start = self.below(units);
        let len = 1 + self.below((units - start).min(64 * 1024 / unit));
        Some((start * unit, len * unit))
    }

    /// A payload in pieces of odd sizes.
    fn payload(&mut self, bytes: &[u8]) -> Payload {
        let mut list = Box::new(SegmentList::with_capacity(8));
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = rest.len().min(512 * (1 + self.below(40) as usize));
            let (now, later) = rest.split_at(most);
            let mut lease = self.lab.core.lease(now.len() as u32).unwrap();
            lease.copy_from_slice(now);
            list.push(lease).unwrap();
            rest = later;
        }
        Payload::Many(list)
    }

    fn step(&mut self) {
        let which = self.below(self.files.len() as u64) as usize;
        let size = self.files[which].2.len() as u64;
        let channel = self.below(self.files[which].1.len() as u64) as usize;
        let disk = self.files[which].1[channel].clone();
        let file = self.files[which].0.clone();
        let unit = if self.below(2) == 0 { 512 } else { BLOCK };
        match self.below(100) {
            0..35 => {
                let Some((at, len)) = self.range(size, unit) else { return };
                let value = self.below(255) as u8 + 1;
                let bytes: Vec<u8> = (0..len).map(|n| value ^ (n / 512) as u8).collect();
                let payload = self.payload(&bytes);
                let io = Io::write(at, payload);
                let io = if self.below(20) == 0 { io.with_fua() } else { io };
                self.lab.submit(&disk, io).result.unwrap();
                self.files[which].2[at as usize..(at + len) as usize].copy_from_slice(&bytes);
            }
            35..70 => {
                let Some((at, len)) = self.range(size, unit) else { return };
                let payload = self.payload(&vec![0xee; len as usize]);
                let done = self.lab.submit(&disk, Io::read(at, payload));
                done.result.unwrap();
                let mut bytes = vec![0; len as usize];
                done.payload.copy_to(0, &mut bytes);
                let expected = &self.files[which].2[at as usize..(at + len) as usize];
                assert!(bytes == expected, "file {which} reads otherwise at {at}+{len}");
            }
            70..75 => self.lab.flush(&disk),
            75..80 => {
                let Some((at, len)) = self.range(size, 1) else { return };
                let keeps = self.below(2) == 0;
                self.lab
                    .run(async move {
                        match keeps {
                            true => file.zero_range(at..at + len).await,
                            false => file.punch(at..at + len).await,
                        }
                    })
                    .unwrap();
                self.files[which].2[at as usize..(at + len) as usize].fill(0);
            }
            80..84 => {
                let Some((at, len)) = self.range(size, 512) else { return };
                let unmap = self.below(2) == 0;
                self.lab.submit(&disk, Io::write_zeroes(at, len, unmap)).result.unwrap();
                self.files[which].2[at as usize..(at + len) as usize].fill(0);
            }
            84..86 => {
                let Some((at, len)) = self.range(size, BLOCK) else { return };
                self.lab.submit(&disk, Io::discard(at, len)).result.unwrap();
                self.files[which].2[at as usize..(at + len) as usize].fill(0);
            }
            86..88 => {
                let Some((at, len)) = self.range(size, 1) else { return };
                self.lab.run(async move { file.allocate(at..at + len).await }).unwrap();
            }
            88..91 => {
                let to = self.below(SIZE);
                let to = if self.below(3) == 0 { to } else { to / 512 * 512 };
                self.lab.run(async move { file.truncate(to).await }).unwrap();
                self.files[which].2.resize(to as usize, 0);
            }
            91..95 => {
                let at = self.below(SIZE - 8000);
                let len = 1 + self.below(8000);
                let value = self.below(255) as u8 + 1;
                let bytes = vec![value; len as usize];
                self.lab.run(async move { file.write_at(at, bytes).await }).unwrap();
                let model = &mut self.files[which].2;
                let end = (at + len) as usize;
                model.resize(model.len().max(end), 0);
                model[at as usize..end].fill(value);
            }
            95..98 => {
                let (at, len) = (self.below(SIZE), 1 + self.below(9000));
                let bytes =
                    self.lab.run(async move { file.read_at(at, len as u32).await }).unwrap();
                let model = &self.files[which].2;
                let end = ((at + len) as usize).min(model.len());
                assert!(bytes == model[(at as usize).min(end)..end]);
            }
            98 => {
                if self.files.len() < 4 {
                    self.clone_file(which);
                }
            }
            _ => self.reopen(which),
        }
        assert_eq!(self.files[which].0.size(), self.files[which].2.len() as u64);
    }

    fn clone_file(&mut self, which: usize) {
        let to = self.lab.orphan();
        let file = self.files[which].0.clone();
        self.lab.run(async move { file.clone_to(to).await }).unwrap();
        let copy = self.lab.open(to);
        let disks = vec![self.lab.disk(&copy), self.lab.disk(&copy)];
        let model = self.files[which].2.clone();
        self.files.push((copy, disks, model));
    }

    fn reopen(&mut self, which: usize) {
        // An orphan ends with its last handle.
        if which > 0 {
            return;
        }
        let (file, disks, model) = self.files.remove(which);
        let at = file.inode();
        drop((file, disks));
        let file = self.lab.open(at);
        let disks = vec![self.lab.disk(&file), self.lab.disk(&file)];
        self.files.insert(which, (file, disks, model));
    }
}

fn run(seed: u64, steps: u32) {
    let lab = Lab::new();
    let file = lab.file("a", SIZE);
    let disks = vec![lab.disk(&file), lab.disk(&file), lab.disk(&file)];
    let files = vec![(file, disks, vec![0; SIZE as usize])];
    let mut run = Run { lab, random: SplitMix64::new(seed), files };
    (0..steps).for_each(|_| run.step());
    for which in 0..run.files.len() {
        let (file, _, model) = &run.files[which];
        let (file, len) = (file.clone(), model.len() as u32);
        let bytes = run.lab.run(async move { file.read_at(0, len).await }).unwrap();
        assert!(bytes == run.files[which].2, "file {which} at the end");
    }
}

#[test]
fn a_file_is_a_vector_of_bytes() {
    for seed in 0..8 {
        run(seed, 1500);
    }
}

//! Random work on the data of files, and what each sector may hold after a crash.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::api::Disk;
use byway_engine::block::{BlockDevice, Io};
use byway_engine::core::Core;
use byway_engine::sim::Rng;
use byway_fs::file::{File, FileOptions, Files};
use byway_fs::names::{self, New};
use byway_fs::store::Mutation;
use byway_fs::volume::Volume;

use super::image::SECTOR;
use super::log::{SharedLog, promise};
use super::matrix::options;

/// Files, and blocks of each.
const FILES: usize = 3;
const BLOCKS: u64 = 24;
/// Bytes of one write of the work.
pub(crate) const CELL: usize = 4096;

/// One block of one file.
pub(crate) type Place = (usize, u64);

/// What was written where, and what was promised.
#[derive(Clone, Default)]
pub(crate) struct History {
    /// The stamps of each block, in the order they were written; 0 first, for what was never.
    pub(crate) stamps: BTreeMap<Place, Vec<u64>>,
    /// By promise: how many stamps of each block are older than what must be there.
    pub(crate) floors: Vec<BTreeMap<Place, usize>>,
}

impl History {
    /// What a block may hold after a crash.
    pub(crate) fn allowed(&self, place: Place, promised: Option<u64>) -> &[u64] {
        let all = self.stamps.get(&place).map_or(&[0][..], |stamps| &stamps[..]);
        let floor = promised.and_then(|number| self.floors[number as usize].get(&place));
        &all[floor.copied().unwrap_or(0)..]
    }

    fn wrote(&mut self, place: Place, stamp: u64) {
        self.stamps.entry(place).or_insert_with(|| vec![0]).push(stamp);
    }

    fn floors_now(&self) -> BTreeMap<Place, usize> {
        self.stamps.iter().map(|(place, stamps)| (*place, stamps.len() - 1)).collect()
    }
}

/// The volume with its files, open.
pub(crate) struct Open {
    pub(crate) volume: Volume,
    pub(crate) files: Files,
    pub(crate) open: Vec<File>,
    pub(crate) disks: Vec<Disk>,
}

/// Mounts, and opens the files; they are made where they are not there.
pub(crate) async fn open(
    core: &Rc<Core>,
    device: Arc<dyn BlockDevice>,
    mutation: Mutation,
) -> Result<Open, String> {
    let mounted = Volume::mount(core, device, options(mutation)).await;
    let volume = mounted.map_err(|e| e.to_string())?;
    let files = Files::new(&volume);
    let (root, new) = (volume.root(), New { mode: 0o644, ..New::default() });
    let (mut open, mut disks) = (Vec::new(), Vec::new());
    for number in 0..FILES {
        let name = format!("file-{number}").into_bytes();
        let made = volume.run(|op| names::create(op, root, &name, new, false)).await;
        let at = made.map_err(|e| e.to_string())?.at;
        let options = FileOptions { name: format!("fs:{number}"), ..FileOptions::default() };
        let file = files.open(at, options).await.map_err(|e| e.to_string())?;
        if file.info().size < BLOCKS * CELL as u64 {
            file.truncate(BLOCKS * CELL as u64).await.map_err(|e| e.to_string())?;
        }
        disks.push(Disk::open(core, &file).map_err(|e| e.to_string())?);
        open.push(file);
    }
    Ok(Open { volume, files, open, disks })
}

impl Open {
    /// Ends everything in order.
    pub(crate) async fn close(self) -> Result<(), String> {
        drop(self.disks);
        drop(self.open);
        self.files.close().await.map_err(|e| e.to_string())?;
        self.volume.unmount().await.map_err(|e| e.to_string())
    }

    /// One round of work: some writes at once, then perhaps a flush, a punch, a commit.
    pub(crate) async fn round(
        &self,
        rng: &mut Rng,
        history: &mut History,
        log: &SharedLog,
    ) -> Result<(), String> {
        let file = rng.below(FILES as u64) as usize;
        match rng.below(10) {
            0 => return self.punch(rng, history, file).await,
            1 => return self.volume.checkpoint().await.map_err(|e| e.to_string()),
            _ => {}
        }
        let mut sent = Vec::new();
        let first = rng.below(BLOCKS);
        for block in (first..BLOCKS).take(1 + rng.below(6) as usize) {
            let stamp = history.stamps.values().map(|stamps| stamps.len() as u64).sum::<u64>() + 1;
            history.wrote((file, block), stamp);
            let mut lease = self.volume.core().lease(CELL as u32).ok_or("no memory")?;
            fill(&mut lease, stamp);
            sent.push(self.disks[file].submit(Io::write(block * CELL as u64, lease)));
        }
        for write in sent {
            write.await.result.map_err(|e| e.to_string())?;
        }
        if rng.below(3) == 0 {
            self.flush(history, log, file).await?;
        }
        Ok(())
    }

    async fn flush(
        &self,
        history: &mut History,
        log: &SharedLog,
        file: usize,
    ) -> Result<(), String> {
        // A flush speaks of its own file only.
        let mut floors = history.floors.last().cloned().unwrap_or_default();
        floors.extend(history.floors_now().into_iter().filter(|((of, _), _)| *of == file));
        self.disks[file].flush().await.map_err(|e| e.to_string())?;
        history.floors.push(floors);
        promise(log, history.floors.len() as u64 - 1);
        Ok(())
    }

    async fn punch(&self, rng: &mut Rng, history: &mut History, file: usize) -> Result<(), String> {
        let first = rng.below(BLOCKS);
        let len = 1 + rng.below(BLOCKS - first);
        (first..first + len).for_each(|block| history.wrote((file, block), 0));
        let (at, len) = (first * CELL as u64, len * CELL as u64);
        self.disks[file].write_zeroes(at, len, true).await.map_err(|e| e.to_string())
    }
}

fn fill(cell: &mut [u8], stamp: u64) {
    cell.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&stamp.to_le_bytes()));
}

/// Compares every sector of every file with what it may hold.
pub(crate) async fn compare(
    open: &Open,
    history: &History,
    promised: Option<u64>,
) -> Result<(), String> {
    for (file, disk) in open.disks.iter().enumerate() {
        for block in 0..BLOCKS {
            let lease = open.volume.core().lease(CELL as u32).ok_or("no memory")?;
            let (read, lease) = disk.read(block * CELL as u64, lease).await;
            read.map_err(|e| e.to_string())?;
            let allowed = history.allowed((file, block), promised);
            for (sector, bytes) in lease.chunks_exact(SECTOR).enumerate() {
                let stamp = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"));
                let is_whole = bytes.chunks_exact(8).all(|word| word == stamp.to_le_bytes());
                if !is_whole || !allowed.contains(&stamp) {
                    return Err(format!(
                        "sector {sector} of block {block} of file {file} holds {stamp}, allowed are {allowed:?}"
                    ));
                }
            }
        }
    }
    Ok(())
}

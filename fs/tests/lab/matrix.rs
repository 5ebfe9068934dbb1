//! The crash matrix: a workload is recorded once, and every state that a crash could have left of
//! its writes is checked.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::core::Core;
use byway_engine::sim::Rng;
use byway_fs::format::PlanOptions;
use byway_fs::fsck::{FsckOptions, Report, fsck};
use byway_fs::mkfs::{MkfsOptions, mkfs};
use byway_fs::store::Mutation;
use byway_fs::volume::{MountOptions, Volume};

use super::bench::{disk, image_of, logged, run, run_on};
use super::image::Image;
use super::log::{SharedLog, promise};
use super::namespace::Worker;
use super::states::{CrashState, States};

/// The volume: small, so that a state is checked in no time.
pub(crate) const SIZE: u64 = 24 << 20;
/// Random states at each point that has any.
const RANDOM_PER_POINT: u64 = 2;

/// A new volume.
pub(crate) fn made(seed: u64) -> Image {
    let device = Arc::new(disk(Image::default(), SIZE));
    let theirs = Arc::clone(&device);
    run(|core: Rc<Core>| async move {
        let plan =
            PlanOptions { group_len: Some(8 << 20), journal_len: Some(1 << 20), journals: Some(1) };
        let uuid = Some([seed as u8; 16]);
        let options = MkfsOptions { plan, uuid, ..MkfsOptions::default() };
        mkfs(&core, &*theirs, &options).await.map(drop).map_err(|e| e.to_string())
    })
    .expect("a new volume");
    image_of(&device)
}

/// How crash tests mount: nobody else is there, and nothing happens by itself.
pub(crate) fn options(mutation: Mutation) -> MountOptions {
    MountOptions { watch: false, mutation, ..MountOptions::default() }
}

/// What was recorded.
pub(crate) struct Recording {
    log: SharedLog,
    before: Image,
    /// Digests after each operation; promises name places in it.
    digests: Vec<u64>,
}

/// Works on a new volume for `steps` operations, with commits, checkpoints and remounts between.
pub(crate) fn record(seed: u64, steps: u64, mutation: Mutation) -> Recording {
    let before = made(seed);
    let (device, log) = logged(before.clone(), SIZE, seed);
    let device = Arc::new(device);
    let digests = Rc::new(RefCell::new(vec![0]));
    let (kept, theirs) = (Rc::clone(&digests), Arc::clone(&log));
    let done = run(|core: Rc<Core>| async move {
        let mounted = Volume::mount(&core, device, options(mutation)).await;
        let volume = mounted.map_err(|e| e.to_string())?;
        let mut rng = Rng::new(seed);
        let mut worker = Worker::new(volume.clone(), Rng::new(seed ^ 0x5eed));
        for _ in 0..steps {
            worker.step().await.map_err(|e| e.to_string())?;
            kept.borrow_mut().push(worker.model.digest());
            let now = kept.borrow().len() as u64 - 1;
            let settled = match rng.below(40) {
                0..=3 => volume.commit().await,
                4 => volume.checkpoint().await,
                5 => volume.sync().await,
                _ => continue,
            };
            settled.map_err(|e| e.to_string())?;
            promise(&theirs, now);
        }
        volume.unmount().await.map_err(|e| e.to_string())
    });
    done.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    let digests = digests.borrow().clone();
    Recording { log, before, digests }
}

impl Recording {
    /// Checks states until `most` were checked; how many there were, or what is wrong with one.
    pub(crate) fn check(&self, seed: u64, most: u64) -> Result<u64, String> {
        let log = self.log.lock().expect("no test panics with it");
        let mut states = States::new(&log, self.before.clone());
        let mut rng = Rng::new(seed ^ 0xc4a5);
        let core = Core::standalone().expect("an arena");
        let mut checked = 0;
        // Where there are more points than states are wanted, some are left out evenly.
        let points = log.events.len() as u64;
        let every = (points * (1 + RANDOM_PER_POINT)).div_ceil(most.max(1)).max(1);
        while checked < most && states.step() {
            if rng.below(every) != 0 {
                continue;
            }
            let mut here = vec![if rng.below(2) == 0 { states.plain() } else { states.full() }];
            if states.is_open() {
                here.extend((0..RANDOM_PER_POINT).map(|_| states.random(&mut rng)));
            }
            for state in here {
                self.judge(&core, &state, checked).map_err(|why| {
                    format!("seed {seed}, after event {} of {points}: {why}", state.point)
                })?;
                checked += 1;
            }
        }
        core.shutdown();
        Ok(checked)
    }

    fn judge(&self, core: &Rc<Core>, state: &CrashState, number: u64) -> Result<(), String> {
        let report = look_on(core, &state.image)?;
        if !report.is_clean() {
            return Err(format!("fsck finds {:?}", report.findings));
        }
        let promised = state.promises.last().copied().unwrap_or(0) as usize;
        if !self.digests[promised..].contains(&report.digest) {
            return Err(format!("the names are none of those after operation {promised}"));
        }
        if number.is_multiple_of(16) {
            remounted(core, &state.image, report.digest)
        } else {
            Ok(())
        }
    }
}

/// What fsck says to an image.
pub(crate) fn look(image: &Image) -> Result<Report, String> {
    let core = Core::standalone().expect("an arena");
    let report = look_on(&core, image);
    core.shutdown();
    report
}

/// The same on a core that is there already: what its memory costs is paid once.
fn look_on(core: &Rc<Core>, image: &Image) -> Result<Report, String> {
    let device = disk(image.clone(), SIZE);
    run_on(core, |core: Rc<Core>| async move {
        let options = FsckOptions::default();
        fsck(&core, &device, options, |_| {}).await.map_err(|e| e.to_string())
    })
}

/// A mount replays the journal in place, and leaves the same names and a clean volume.
fn remounted(core: &Rc<Core>, image: &Image, digest: u64) -> Result<(), String> {
    let device = Arc::new(disk(image.clone(), SIZE));
    let theirs = Arc::clone(&device);
    run_on(core, |core: Rc<Core>| async move {
        let mounted = Volume::mount(&core, theirs, options(Mutation::None)).await;
        mounted.map_err(|e| e.to_string())?.unmount().await.map_err(|e| e.to_string())
    })?;
    let report = look_on(core, &image_of(&device))?;
    if !report.is_clean() || report.replayed > 0 || report.digest != digest {
        return Err(format!("after a mount: {report:?}"));
    }
    Ok(())
}

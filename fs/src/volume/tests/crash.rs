//! The power fails at any moment: what was committed is there, and what is there is the state after
//! some operation.

use super::*;
use crate::fsck::{FsckOptions, fsck};
use crate::store::Mutation;

/// Names that come and go.
const NAMES: u64 = 40;
/// Power losses of one seed.
const LOSSES: u64 = 6;

/// What the lab knows while the host may be dead.
#[derive(Default)]
struct Log {
    /// The names after each operation.
    states: Vec<BTreeSet<String>>,
    /// Operations that a commit answered for.
    durable: usize,
}

type Shared = Rc<RefCell<Log>>;

/// Creates and removes names for ever, and commits now and then.
async fn work(core: Rc<Core>, disk: SimDisk, options: MountOptions, mut rng: Chance, log: Shared) {
    let volume = mount(&core, &disk, options).await;
    let mut names = list(&volume).await;
    log.borrow_mut().states = vec![names.clone()];
    log.borrow_mut().durable = 0;
    loop {
        let name = format!("name-{}", rng.below(NAMES));
        if names.remove(&name) {
            unlink(&volume, &name).await;
        } else {
            create(&volume, &name).await;
            names.insert(name);
        }
        log.borrow_mut().states.push(names.clone());
        if rng.below(8) == 0 {
            let issued = log.borrow().states.len() - 1;
            if volume.commit().await.is_err() {
                return;
            }
            log.borrow_mut().durable = issued;
        }
    }
}

/// A stream of chance.
struct Chance(byway_engine::sim::Rng);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0.below(n)
    }
}

/// Runs one seed; the first thing that is wrong after a power loss.
fn crash_run(seed: u64, mutation: Mutation) -> Result<(), String> {
    let (mut world, host, disk) = lab(seed, DiskConfig::default());
    let log = Shared::default();
    for loss in 0..LOSSES {
        let options = MountOptions { mutation, cache_blocks_max: 0, ..alone() };
        let (device, worker) = (disk.clone(), Rc::clone(&log));
        let mut rng = world.fork_rng();
        let until = world.now() + 20_000_000 + rng.below(200_000_000);
        log.borrow_mut().states.clear();
        let main = |core| work(core, device, options, Chance(rng), worker);
        let running = if loss == 0 { world.start(host, main) } else { world.restart(host, main) };
        world.run_until(until, || running.is_finished()).unwrap();
        world.crash(host);
        disk.power_loss();
        if log.borrow().states.is_empty() {
            continue;
        }
        let device = disk.clone();
        let looked = world.restart(host, move |core| look(core, device, mutation));
        world.run_until(u64::MAX, || looked.is_finished()).unwrap();
        let names = looked.try_take().ok_or("the look at it came to no end")?;
        judge(&log.borrow(), names?)
            .map_err(|wrong| format!("seed {seed} loss {loss}: {wrong}"))?;
    }
    Ok(())
}

/// What is on the volume after a power loss; it must be whole, also for the checker.
async fn look(
    core: Rc<Core>,
    disk: SimDisk,
    mutation: Mutation,
) -> Result<BTreeSet<String>, String> {
    let options = MountOptions { mutation, ..alone() };
    let device: Arc<dyn BlockDevice> = Arc::new(disk.clone());
    let volume = Volume::mount(&core, device, options).await.map_err(|e| e.to_string())?;
    let root = volume.root();
    let listed = volume.run(|op| names::readdir(op, root, 0, 1000)).await;
    let listed = listed.map_err(|error| error.to_string())?;
    let names = listed.iter().map(|listed| String::from_utf8_lossy(listed.name).into_owned());
    let names = names.collect();
    for entry in listed.iter().map(|listed| listed.entry) {
        let read = volume.run(|op| crate::inode::read(op, entry.target).map(drop)).await;
        read.map_err(|error| error.to_string())?;
    }
    volume.unmount().await.map_err(|error| error.to_string())?;
    let report = fsck(&core, &disk, FsckOptions::default(), |_| {}).await;
    let report = report.map_err(|error| error.to_string())?;
    match report.is_clean() {
        true => Ok(names),
        false => Err(format!("{:?}", report.findings)),
    }
}

fn judge(log: &Log, names: BTreeSet<String>) -> Result<(), String> {
    match log.states[log.durable..].contains(&names) {
        true => Ok(()),
        false => Err(format!(
            "{} operations, {} durable, but the names are of none of the states after: {names:?}",
            log.states.len() - 1,
            log.durable,
        )),
    }
}

#[test]
fn what_was_committed_survives_power_losses_and_nothing_is_half_there() {
    (0..12).for_each(|seed| crash_run(seed, Mutation::None).unwrap());
}

/// The rules that one node alone can break and names can show. Versions matter where two journals
/// hold images of one block (the journal's own tests replay such), and busy runs are for data.
const NOTICED: [Mutation; 3] =
    [Mutation::InPlaceEarly, Mutation::TailBeforeFlush, Mutation::CommitWithoutFua];

#[test]
fn every_broken_rule_is_noticed() {
    for mutation in NOTICED {
        let noticed = (0..60).any(|seed| {
            let run = std::panic::AssertUnwindSafe(|| crash_run(seed, mutation));
            !matches!(std::panic::catch_unwind(run), Ok(Ok(())))
        });
        assert!(noticed, "{} goes unnoticed", mutation.name());
    }
}

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;
use crate::api::Disk;
use crate::core::{Core, yield_now};
use crate::exec::Class;

const MS: u64 = 1_000_000;

fn world(seed: u64) -> World {
    World::new(seed, WorldConfig::default())
}

/// A world without the cost of turns, so that times are exact.
fn exact(seed: u64) -> World {
    World::new(seed, WorldConfig { turn_ns: 0..0, ..WorldConfig::default() })
}

#[test]
fn timers_run_on_virtual_time() {
    let mut world = exact(1);
    let host = world.add_host("a");
    let year_ns = 365 * 24 * 3600 * 1000 * MS;
    let slept = world.start(host, |core| async move {
        let began = core.now();
        core.sleep(year_ns).await;
        core.now() - began
    });
    assert_eq!(world.run().unwrap(), Stop::Idle);
    assert_eq!(slept.try_take(), Some(year_ns));
    assert!(world.steps() < 100);
}

#[test]
fn a_crashed_host_runs_no_more_and_a_restarted_one_starts_anew() {
    let mut world = world(1);
    let host = world.add_host("a");
    let ticks = Rc::new(Cell::new(0));
    let tick = |ticks: Rc<Cell<u32>>| {
        move |core: Rc<Core>| async move {
            loop {
                core.sleep(MS).await;
                ticks.set(ticks.get() + 1);
            }
        }
    };
    world.start(host, tick(Rc::clone(&ticks)));
    world.at(10 * MS + MS / 2, move |world| world.crash(host));
    assert_eq!(world.run_for(20 * MS).unwrap(), Stop::Idle);
    assert_eq!(world.now(), 20 * MS);
    let at_crash = ticks.get();
    assert!((9..=10).contains(&at_crash) && !world.is_up(host));
    assert_eq!(Rc::strong_count(&ticks), 1, "the task is gone");
    world.restart(host, tick(Rc::clone(&ticks)));
    world.run_for(5 * MS).unwrap();
    assert!(ticks.get() > at_crash);
}

#[test]
fn a_paused_host_stands_still_while_the_world_goes_on() {
    let mut world = exact(1);
    let (a, b) = (world.add_host("a"), world.add_host("b"));
    let wake = |core: Rc<Core>| async move {
        core.sleep(MS).await;
        core.now()
    };
    let (paused, free) = (world.start(a, wake), world.start(b, wake));
    world.pause(a, 50 * MS);
    world.run().unwrap();
    assert_eq!((paused.try_take(), free.try_take()), (Some(51 * MS), Some(MS)));
}

#[test]
fn a_livelock_is_a_failure_that_names_the_seed() {
    let mut world = World::new(77, WorldConfig { steps_max: 1000, ..WorldConfig::default() });
    let host = world.add_host("a");
    let _busy = world.start(host, |_| async {
        loop {
            yield_now().await;
        }
    });
    let error = world.run().unwrap_err();
    assert!(error.to_string().contains("seed 77") && error.steps == 1000, "{error}");
}

#[test]
fn a_condition_stops_the_run() {
    let mut world = world(1);
    let host = world.add_host("a");
    let flag = Rc::new(Cell::new(false));
    let theirs = Rc::clone(&flag);
    world.start(host, |core| async move {
        core.sleep(3 * MS).await;
        theirs.set(true);
        core.sleep(1000 * MS).await;
    });
    assert_eq!(world.run_until(u64::MAX, || flag.get()).unwrap(), Stop::Condition);
    assert!(world.now() < 4 * MS);
}

#[test]
fn disk_requests_of_tasks_complete_on_virtual_time() {
    let mut world = world(4);
    let host = world.add_host("a");
    let disk = world.add_disk(DiskConfig::default());
    let device = disk.clone();
    let read = world.start(host, |core| async move {
        let disk = Disk::open(&core, &device).unwrap();
        let mut lease = core.lease(4096).unwrap();
        lease.fill(5);
        let (result, lease) = disk.write(8192, lease).await;
        result.unwrap();
        disk.flush().await.unwrap();
        let (result, lease) = disk.read(8192, lease).await;
        result.map(|()| (lease[0], core.now()))
    });
    assert_eq!(world.run().unwrap(), Stop::Idle);
    let (byte, now) = read.try_take().unwrap().unwrap();
    assert!(byte == 5 && now > 0);
    let mut durable = [0; 1];
    disk.durable_snapshot().read(8192, &mut durable);
    assert_eq!(durable, [5]);
}

/// Tasks in the order in which they ran.
fn order_of_tasks(seed: u64) -> Vec<u32> {
    let mut world = world(seed);
    let host = world.add_host("a");
    let order = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&order);
    world.start(host, |core| async move {
        for n in 0..8 {
            let log = Rc::clone(&log);
            drop(core.spawn(Class::Foreground, "n", async move { log.borrow_mut().push(n) }));
        }
    });
    world.run().unwrap();
    order.take()
}

#[test]
fn the_seed_decides_the_order_of_tasks() {
    assert_eq!(order_of_tasks(1), order_of_tasks(1));
    assert_ne!(order_of_tasks(1), order_of_tasks(2));
}

/// Three hosts that share a disk, one of which crashes.
fn hash_of(seed: u64) -> u64 {
    let mut world = world(seed);
    let disk = world.add_disk(DiskConfig::default());
    let work = |core: Rc<Core>, device: SimDisk| async move {
        let disk = Disk::open(&core, &device).unwrap();
        for n in 0..50u64 {
            let lease = core.lease(4096).unwrap();
            let (_, lease) = disk.write(n % 7 * 4096, lease).await;
            drop(disk.read(n % 5 * 4096, lease).await);
        }
    };
    for name in ["a", "b", "c"] {
        let (host, device) = (world.add_host(name), disk.clone());
        world.start(host, |core| work(core, device));
    }
    world.at(2 * MS, |world| world.crash(HostId(0)));
    world.run().unwrap();
    world.trace_hash()
}

#[test]
fn a_seed_names_one_run() {
    assert_eq!(hash_of(1), hash_of(1));
    let hashes: std::collections::BTreeSet<u64> = (0..10).map(hash_of).collect();
    assert_eq!(hashes.len(), 10);
}

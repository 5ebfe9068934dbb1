//! The cheapest way: the thread owns a `PollQueue`, submits and polls by itself.
//!
//! One reading of the clock serves a whole batch: it ends the requests that came back and starts
//! those that are submitted in their place.

use std::time::Duration;

use byway_engine::SetupError;
use byway_engine::api::PollQueue;
use byway_engine::block::{BlockDevice, Completions};
use byway_engine::core::{Core, CoreConfig, PollMode};

use super::house::House;
use super::threads::{Done, Start, WAIT_NS_MAX, Work};
use crate::load::{Load, Phase};

/// Runs `work` on this thread.
pub(super) fn run(
    work: Work,
    device: &dyn BlockDevice,
    config: &CoreConfig,
    mut house: House,
    start: Start,
) -> Result<Done, SetupError> {
    let opened = PollQueue::open(device, config);
    let mut queue = start.together(opened)?;
    let core = queue.core().clone();
    let mut load = work.load(|len| core.lease(len), core.now())?;
    drive(&mut load, &mut queue, &mut house);
    Ok(Done::new(load, house))
}

fn drive(load: &mut Load, queue: &mut PollQueue, house: &mut House) {
    let core = queue.core().clone();
    let mut done = Completions::with_capacity(load.depth());
    loop {
        while let Some(io) = load.next_io() {
            if let Err(io) = queue.submit(io) {
                load.give_back(io);
                break;
            }
        }
        if load.phase() >= Phase::Draining && load.is_over() {
            return;
        }
        match load.idle_ns().min(WAIT_NS_MAX) {
            0 => _ = queue.poll(&mut done),
            idle if queue.in_flight() > 0 => _ = queue.wait(&mut done, idle),
            idle => rest(&core, idle),
        }
        if load.begin(core.now()) {
            house.keep(load, || core.counters());
        }
        done.drain(..).for_each(|completion| load.complete(completion));
    }
}

/// Waits for the next intended start with nothing in flight: spins where the core would.
fn rest(core: &Core, ns: u64) {
    let config = core.config();
    let spin = match config.poll_mode {
        PollMode::Never => false,
        PollMode::Adaptive => ns <= config.spin_ns_max,
        PollMode::Always => true,
    };
    if spin {
        std::hint::spin_loop();
    } else {
        std::thread::park_timeout(Duration::from_nanos(ns));
    }
}

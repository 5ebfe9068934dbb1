//! No crash at any write loses a byte that was flushed, or shows one that was never there.

mod lab;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::core::Core;
use byway_engine::sim::Rng;
use byway_fs::store::Mutation;
use lab::bench::{disk, logged, run};
use lab::data::{History, compare, open};
use lab::image::Image;
use lab::log::SharedLog;
use lab::matrix::{SIZE, look, made};
use lab::states::{CrashState, States};

/// States in an ordinary test run; `BYWAY_CRASH_FILE_STATES` sets another number.
const STATES: u64 = 1_200;
const SEEDS: u64 = 6;
const ROUNDS: u64 = 120;

struct Recording {
    log: SharedLog,
    before: Image,
    history: History,
}

fn record(seed: u64, mutation: Mutation) -> Recording {
    let before = made(seed);
    let (device, log) = logged(before.clone(), SIZE, seed);
    let history = Rc::new(RefCell::new(History::default()));
    let (kept, theirs, device) = (Rc::clone(&history), Arc::clone(&log), Arc::new(device));
    let done = run(|core: Rc<Core>| async move {
        let open = open(&core, device, mutation).await?;
        open.volume.sync().await.map_err(|e| e.to_string())?;
        // The files themselves are there from here on.
        let mut history = History { floors: vec![Default::default()], ..History::default() };
        lab::log::promise(&theirs, 0);
        let mut rng = Rng::new(seed);
        for _ in 0..ROUNDS {
            open.round(&mut rng, &mut history, &theirs).await?;
        }
        *kept.borrow_mut() = history;
        open.close().await
    });
    done.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    let history = history.borrow().clone();
    Recording { log, before, history }
}

impl Recording {
    fn check(&self, seed: u64, most: u64) -> Result<u64, String> {
        let log = self.log.lock().expect("no test panics with it");
        let mut states = States::new(&log, self.before.clone());
        let mut rng = Rng::new(seed ^ 0xf11e);
        let every = (log.events.len() as u64 * 2).div_ceil(most).max(1);
        let mut checked = 0;
        while checked < most && states.step() {
            if rng.below(every) != 0 {
                continue;
            }
            for state in [states.random(&mut rng), states.random(&mut rng)] {
                self.judge(state).map_err(|why| format!("seed {seed}, state {checked}: {why}"))?;
                checked += 1;
            }
        }
        Ok(checked)
    }

    fn judge(&self, state: CrashState) -> Result<(), String> {
        let report = look(&state.image)?;
        if !report.is_clean() {
            return Err(format!("fsck finds {:?}", report.findings));
        }
        let Some(promised) = state.promises.last().copied() else {
            return Ok(());
        };
        let device = Arc::new(disk(state.image, SIZE));
        let history = self.history.clone();
        run(|core: Rc<Core>| async move {
            let open = open(&core, device, Mutation::None).await?;
            compare(&open, &history, Some(promised)).await
        })
    }
}

#[test]
fn what_was_flushed_is_there() {
    let each = std::env::var("BYWAY_CRASH_FILE_STATES").ok().and_then(|n| n.parse().ok());
    let each = each.unwrap_or(STATES) / SEEDS;
    for seed in 1..=SEEDS {
        record(seed, Mutation::None).check(seed, each).unwrap();
    }
}

#[test]
fn data_that_is_used_again_early_is_found() {
    let mutations = [Mutation::BusyReusedEarly, Mutation::CommitWithoutFua];
    for mutation in mutations {
        let found = (1..=8).any(|seed| record(seed, mutation).check(seed, 1_000).is_err());
        assert!(found, "{mutation:?} is not found");
    }
}

//! From outside: the reactor has a thread of its own, this thread talks to it through `Client`.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc;

use byway_engine::SetupError;
use byway_engine::api::Client;
use byway_engine::block::{BlockDevice, Completion};
use byway_engine::core::{Clock, CoreConfig, CoreCounters};
use byway_engine::reactor::ReactorThread;
use futures_util::future::{join_all, select};

use super::house::House;
use super::thread_exec::{Timers, block_on};
use super::threads::{Done, Start, WAIT_NS_MAX, Work};
use crate::load::{Load, Phase};

/// What the slots of a thread share.
struct Desk<'a> {
    clock: Clock,
    timers: Timers,
    client: Client,
    thread: &'a ReactorThread,
    load: RefCell<Load>,
    house: RefCell<House>,
}

/// Runs `work` on this thread, and the device on a reactor thread.
pub(super) fn run(
    work: Work,
    device: &Arc<dyn BlockDevice>,
    config: &CoreConfig,
    house: House,
    start: Start,
) -> Result<Done, SetupError> {
    let depth = work.depth();
    let opened = ReactorThread::start(config.clone()).and_then(|thread| {
        let client = Client::open(&thread, Arc::clone(device), depth)?;
        Ok((thread, client))
    });
    let (thread, client) = start.together(opened)?;
    let clock = Clock::real();
    let load = RefCell::new(work.load(|len| client.lease(len), clock.now())?);
    let timers = Timers::new(clock.clone(), depth as usize + 1);
    let desk = Desk { clock, timers, client, thread: &thread, load, house: RefCell::new(house) };
    block_on(&desk.timers, desk.drive());
    Ok(Done::new(desk.load.into_inner(), desk.house.into_inner()))
}

impl Desk<'_> {
    async fn drive(&self) {
        let depth = self.load.borrow().depth();
        while !self.load.borrow_mut().is_over() {
            let slots = join_all((0..depth).map(|_| self.slot()));
            let keeper = std::pin::pin!(self.keep());
            // The keeper does not end before the slots do.
            select(slots, keeper).await;
            while self.load.borrow().phase() < Phase::Draining {
                let until = self.load.borrow().end().min(self.clock.now() + WAIT_NS_MAX);
                self.timers.sleep_until(until).await;
                self.begin();
            }
        }
    }

    async fn slot(&self) {
        self.begin();
        loop {
            let Some(intended) = self.load.borrow_mut().claim_start() else { return };
            self.wait_for(intended).await;
            let Some(io) = self.load.borrow_mut().issue(intended) else { return };
            let tag = io.tag;
            let done = Completion { tag, ..self.client.submit(io).await };
            self.begin();
            self.load.borrow_mut().complete(done);
        }
    }

    async fn wait_for(&self, intended: u64) {
        while intended > self.load.borrow().now() && !self.load.borrow().is_stopped() {
            self.timers.sleep_until(intended.min(self.clock.now() + WAIT_NS_MAX)).await;
            self.begin();
        }
    }

    async fn keep(&self) {
        loop {
            self.timers.sleep_until(self.clock.now() + WAIT_NS_MAX).await;
            self.begin();
        }
    }

    #[inline]
    fn begin(&self) {
        let mut load = self.load.borrow_mut();
        if load.begin(self.clock.now()) {
            self.house.borrow_mut().keep(&mut load, || self.counters());
        }
    }

    /// Asks the reactor for its counters, and waits for the answer.
    fn counters(&self) -> CoreCounters {
        let (send, receive) = mpsc::sync_channel(1);
        let asked = self.thread.handle().send(Box::new(move |core| {
            // This thread waits for the answer, so the channel is open.
            let _sent = send.send(core.counters());
        }));
        match asked {
            Ok(()) => receive.recv().unwrap_or_default(),
            Err(_) => CoreCounters::default(),
        }
    }
}

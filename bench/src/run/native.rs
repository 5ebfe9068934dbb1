//! The reactor's own way: one task for each request slot, futures on the thread of the core.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::SetupError;
use byway_engine::api::{Disk, DiskRequest};
use byway_engine::block::{BlockDevice, Completion};
use byway_engine::core::{Core, CoreConfig};
use byway_engine::exec::Class;
use byway_engine::reactor::Reactor;

use super::house::House;
use super::threads::{Done, Start, WAIT_NS_MAX, Work};
use crate::load::{Load, Phase};

/// What the tasks of a thread share.
struct Desk {
    load: Load,
    house: House,
}

impl Desk {
    #[inline]
    fn begin(&mut self, core: &Core) {
        if self.load.begin(core.now()) {
            self.house.keep(&mut self.load, || core.counters());
        }
    }

    /// Hands in what a slot's request brought; tells the slot's next intended start.
    #[inline]
    fn complete(&mut self, core: &Core, done: Completion) -> Option<u64> {
        self.begin(core);
        self.load.complete(done);
        self.load.claim_start()
    }

    /// How long a slot still has to wait for an intended start; none where it has come.
    #[inline]
    fn wait_for(&self, intended: u64) -> Option<u64> {
        let now = self.load.now();
        (intended > now).then(|| intended.min(now + WAIT_NS_MAX))
    }

    /// Starts the request for an intended start that has come, and says whose it is.
    #[inline]
    fn send(&mut self, disk: &Disk, intended: u64) -> Option<(u64, DiskRequest)> {
        self.load.issue(intended).map(|io| (io.tag, disk.submit(io)))
    }
}

/// Runs `work` on this thread.
pub(super) fn run(
    work: Work,
    device: &Arc<dyn BlockDevice>,
    config: &CoreConfig,
    house: House,
    start: Start,
) -> Result<Done, SetupError> {
    let reactor = match Reactor::new(config) {
        Ok(reactor) => reactor,
        Err(error) => return start.together(Err(error)),
    };
    let device = Arc::clone(device);
    reactor.run(|core| async move {
        let disk = start.together(Disk::open(&core, &*device))?;
        let load = work.load(|len| core.lease(len), core.now())?;
        let desk = Rc::new(RefCell::new(Desk { load, house }));
        drive(&core, &disk, &desk).await;
        drop(disk);
        let desk = Rc::into_inner(desk).expect("every task has ended").into_inner();
        Ok(Done::new(desk.load, desk.house))
    })
}

async fn drive(core: &Rc<Core>, disk: &Disk, desk: &Rc<RefCell<Desk>>) {
    let keeper = core.spawn(Class::Background, "bench keeper", keep(core.clone(), desk.clone()));
    let depth = desk.borrow().load.depth();
    while !desk.borrow_mut().load.is_over() {
        let task = || slot(core.clone(), disk.clone(), desk.clone());
        let tasks: Vec<_> =
            (0..depth).map(|_| core.spawn(Class::Foreground, "bench slot", task())).collect();
        for task in tasks {
            task.await.expect("a slot ends by itself");
        }
        while desk.borrow().load.phase() < Phase::Draining {
            let until = desk.borrow().load.end().min(core.now() + WAIT_NS_MAX);
            core.sleep_until(until).await;
            desk.borrow_mut().begin(core);
        }
    }
    keeper.await.expect("the keeper ends when the load is over");
}

async fn slot(core: Rc<Core>, disk: Disk, desk: Rc<RefCell<Desk>>) {
    desk.borrow_mut().begin(&core);
    let mut next = desk.borrow_mut().load.claim_start();
    while let Some(intended) = next {
        loop {
            let Some(until) = desk.borrow().wait_for(intended) else { break };
            core.sleep_until(until).await;
            desk.borrow_mut().begin(&core);
        }
        let Some((tag, request)) = desk.borrow_mut().send(&disk, intended) else { return };
        let mut done = request.await;
        done.tag = tag;
        next = desk.borrow_mut().complete(&core, done);
    }
}

/// Keeps house where nothing completes, so that a device that hangs can be interrupted.
async fn keep(core: Rc<Core>, desk: Rc<RefCell<Desk>>) {
    while desk.borrow().load.phase() != Phase::Over {
        core.sleep(WAIT_NS_MAX).await;
        desk.borrow_mut().begin(&core);
    }
}

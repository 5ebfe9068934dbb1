//! The reactor's own way: one task for each request slot, futures on the thread of the core.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::SetupError;
use byway_engine::api::Disk;
use byway_engine::block::{BlockDevice, Completion, Io};
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

/// What a slot does next.
enum Next {
    Submit(Io),
    Wait { until: u64, intended: u64 },
    End,
}

impl Desk {
    fn begin(&mut self, core: &Core) {
        if self.load.begin(core.now()) {
            self.house.keep(&mut self.load, || core.counters());
        }
    }

    /// Takes the next intended start for a slot.
    #[inline]
    fn next(&mut self, core: &Core, done: Option<Completion>) -> Next {
        self.begin(core);
        if let Some(completion) = done {
            self.load.complete(completion);
        }
        match self.load.claim_start() {
            Some(intended) => self.start(intended),
            None => Next::End,
        }
    }

    /// The request for an intended start that has come, or how long to wait for it.
    #[inline]
    fn start(&mut self, intended: u64) -> Next {
        let now = self.load.now();
        if intended > now {
            return Next::Wait { until: intended.min(now + WAIT_NS_MAX), intended };
        }
        self.load.issue(intended).map_or(Next::End, Next::Submit)
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
    let mut next = desk.borrow_mut().next(&core, None);
    loop {
        next = match next {
            Next::Submit(io) => {
                let tag = io.tag;
                let done = Completion { tag, ..disk.submit(io).await };
                desk.borrow_mut().next(&core, Some(done))
            }
            Next::Wait { until, intended } => {
                core.sleep_until(until).await;
                let mut desk = desk.borrow_mut();
                desk.begin(&core);
                desk.start(intended)
            }
            Next::End => return,
        };
    }
}

/// Keeps house where nothing completes, so that a device that hangs can be interrupted.
async fn keep(core: Rc<Core>, desk: Rc<RefCell<Desk>>) {
    while desk.borrow().load.phase() != Phase::Over {
        core.sleep(WAIT_NS_MAX).await;
        desk.borrow_mut().begin(&core);
    }
}

//! One right to write for several servers of this process: the first that writes takes it, and it is
//! let go when the last has.
//!
//! Invariant: a server that lets go twice, because it loses an export while somebody asks for the right,
//! takes nothing from the others: each has a handle of its own.

use std::cell::Cell;
use std::rc::Rc;

use byway_engine::core::Core;
use byway_export::nbd::{Answer, WriteRight};

/// How often one server looks whether the other's question is answered, in nanoseconds.
const LOOK_NS: u64 = 1_000_000;

/// What the servers of one export share.
pub(super) struct SharedRight {
    inner: Rc<dyn WriteRight>,
    holders: Cell<u32>,
    is_asking: Cell<bool>,
}

impl SharedRight {
    pub(super) fn new(inner: Rc<dyn WriteRight>) -> Rc<SharedRight> {
        Rc::new(SharedRight { inner, holders: Cell::new(0), is_asking: Cell::new(false) })
    }

    /// The right as one server has it.
    pub(super) fn handle(self: &Rc<Self>) -> Rc<dyn WriteRight> {
        Rc::new(Handle { shared: Rc::clone(self), is_held: Cell::new(false) })
    }
}

struct Handle {
    shared: Rc<SharedRight>,
    is_held: Cell<bool>,
}

impl WriteRight for Handle {
    fn is_free(&self) -> bool {
        self.shared.inner.is_free()
    }

    fn acquire(self: Rc<Self>, core: Rc<Core>) -> Answer {
        Box::pin(async move {
            let shared = &self.shared;
            while shared.is_asking.get() {
                core.sleep(LOOK_NS).await;
            }
            if shared.holders.get() == 0 {
                shared.is_asking.set(true);
                let answer = Rc::clone(&shared.inner).acquire(core).await;
                shared.is_asking.set(false);
                answer?;
            }
            if !self.is_held.replace(true) {
                shared.holders.set(shared.holders.get() + 1);
            }
            Ok(())
        })
    }

    fn is_wanted(&self) -> bool {
        self.shared.inner.is_wanted()
    }

    fn release(&self) {
        if !self.is_held.replace(false) {
            return;
        }
        let left = self.shared.holders.get() - 1;
        self.shared.holders.set(left);
        if left == 0 {
            self.shared.inner.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use byway_engine::core::CoreConfig;
    use byway_engine::reactor::Reactor;
    use byway_export::nbd::FileRight;

    use super::*;

    #[test]
    fn one_server_that_lets_go_twice_leaves_the_right_to_the_other() {
        let path = std::env::temp_dir().join(format!("byway-shared-right-{}", std::process::id()));
        std::fs::write(&path, [0; 512]).unwrap();
        let shared = SharedRight::new(Rc::new(FileRight::new(&path).unwrap()));
        let (here, there) = (shared.handle(), shared.handle());
        let stranger = Rc::new(FileRight::new(&path).unwrap().with_wait(20_000_000));
        let reactor = Reactor::new(&CoreConfig::default()).unwrap();
        reactor.run(|core| async move {
            let own = [&here, &there].map(|one| Rc::clone(one).acquire(Rc::clone(&core)));
            for answer in own {
                answer.await.unwrap();
            }
            here.release();
            here.release();
            assert!(Rc::clone(&stranger).acquire(Rc::clone(&core)).await.is_err(), "still held");
            there.release();
            assert!(stranger.acquire(core).await.is_ok(), "nobody has it any more");
        });
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(format!("{}.byway-want", path.display())).unwrap();
    }
}

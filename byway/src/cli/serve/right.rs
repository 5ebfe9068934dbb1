//! One right to write for several servers of this process: the first that writes takes it, and it is
//! let go when the last has.

use std::cell::Cell;
use std::rc::Rc;

use byway_engine::core::Core;
use byway_export::nbd::{Answer, WriteRight};

/// How often one server looks whether the other's question is answered, in nanoseconds.
const LOOK_NS: u64 = 1_000_000;

pub(super) struct SharedRight {
    inner: Rc<dyn WriteRight>,
    holders: Cell<u32>,
    is_asking: Cell<bool>,
}

impl SharedRight {
    pub(super) fn new(inner: Rc<dyn WriteRight>) -> Rc<SharedRight> {
        Rc::new(SharedRight { inner, holders: Cell::new(0), is_asking: Cell::new(false) })
    }
}

impl WriteRight for SharedRight {
    fn is_free(&self) -> bool {
        self.inner.is_free()
    }

    fn acquire(self: Rc<Self>, core: Rc<Core>) -> Answer {
        Box::pin(async move {
            while self.is_asking.get() {
                core.sleep(LOOK_NS).await;
            }
            if self.holders.get() == 0 {
                self.is_asking.set(true);
                let answer = Rc::clone(&self.inner).acquire(core).await;
                self.is_asking.set(false);
                answer?;
            }
            self.holders.set(self.holders.get() + 1);
            Ok(())
        })
    }

    fn is_wanted(&self) -> bool {
        self.inner.is_wanted()
    }

    fn release(&self) {
        let left = self.holders.get().saturating_sub(1);
        self.holders.set(left);
        if left == 0 && !self.is_free() {
            self.inner.release();
        }
    }
}

//! A device that misbehaves by plan, for tests and the simulator.
//!
//! Invariants: the plan is an argument of the constructor and reached by no command line or
//! configuration; the same plan and the same requests in the same order give the same faults. A
//! request that a rule drops stays in flight for ever and keeps its memory.

mod channel;
mod effect;
mod plan;
mod torn;

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use self::channel::FaultChannel;
use self::plan::PlanState;
use super::super::{BlockDevice, Channel, DeviceInfo};
use crate::core::Core;
use crate::error::SetupError;

pub use self::plan::{FaultAction, FaultPlan, FaultRule, Pick};

/// A device that misbehaves by plan.
pub struct Fault {
    inner: Arc<dyn BlockDevice>,
    state: Arc<Mutex<PlanState>>,
}

impl Fault {
    /// Applies `plan` to what is done to `inner`.
    pub fn new(inner: Arc<dyn BlockDevice>, plan: FaultPlan) -> Fault {
        Fault { inner, state: Arc::new(Mutex::new(PlanState::new(plan))) }
    }

    /// How often each rule of the plan has acted, in the plan's order.
    pub fn fired(&self) -> Vec<u64> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).fired()
    }
}

impl BlockDevice for Fault {
    fn info(&self) -> DeviceInfo {
        self.inner.info()
    }

    fn open_channel(&self, core: &Rc<Core>) -> Result<Box<dyn Channel>, SetupError> {
        let inner = self.inner.open_channel(core)?;
        let (core, state) = (Rc::clone(core), Arc::clone(&self.state));
        Ok(Box::new(FaultChannel::new(inner, core, state, &self.info())))
    }

    fn memory_len(&self) -> usize {
        self.inner.memory_len()
    }

    fn zeroes_fast(&self) -> bool {
        self.inner.zeroes_fast()
    }

    fn rescan(&self) -> Result<(), SetupError> {
        self.inner.rescan()
    }
}

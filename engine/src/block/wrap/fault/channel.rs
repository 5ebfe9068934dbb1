//! A core's way into a device that misbehaves.
//!
//! A request passes: decided (by the plan) -> waiting (while the device below is full) -> below ->
//! shuffled (if reordered) -> held (until its time) -> given back. Or it is lost on the way.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::effect::Effect;
use super::plan::PlanState;
use super::torn::{self, Rest};
use crate::block::{
    Channel, Completion, Completions, DeviceEvent, DeviceInfo, Io, Op, TagTable, WaitSource,
};
use crate::core::Core;
use crate::error::{ErrorKind, IoError};
use crate::timer::TimerWheel;

/// A request as the submitter knows it, and what happens to it.
struct Pending {
    tag: u64,
    offset: u64,
    len: u64,
    op: Op,
    began_ns: u64,
    effect: Effect,
    rest: Option<Rest>,
}

pub(super) struct FaultChannel {
    inner: Box<dyn Channel>,
    core: Rc<Core>,
    state: Arc<Mutex<PlanState>>,
    atomic_len: u32,
    pending: TagTable<Pending>,
    depth_max: u32,
    in_flight: u32,
    waiting: VecDeque<Io>,
    below: Completions,
    shuffled: Vec<(Completion, u64, Effect)>,
    held: TimerWheel<Completion>,
    /// Lost completions: their memory must not be used again, as for a device that never answers.
    lost: Completions,
}

impl FaultChannel {
    pub(super) fn new(
        inner: Box<dyn Channel>,
        core: Rc<Core>,
        state: Arc<Mutex<PlanState>>,
        info: &DeviceInfo,
    ) -> Self {
        FaultChannel {
            inner,
            core,
            state,
            atomic_len: info.atomic_len,
            pending: TagTable::new(info.depth_max),
            depth_max: info.depth_max,
            in_flight: 0,
            waiting: VecDeque::new(),
            below: Vec::new(),
            shuffled: Vec::new(),
            held: TimerWheel::new(),
            lost: Vec::new(),
        }
    }

    fn plan(&self) -> MutexGuard<'_, PlanState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request on, changed as its effect says.
    fn send(&mut self, mut io: Io, effect: Effect) {
        let Io { tag, offset, len, op, .. } = io;
        let began_ns = self.core.now();
        let mut pending = Pending { tag, offset, len, op, began_ns, effect, rest: None };
        if let Some(torn_len) = effect.torn_len {
            if torn_len == 0 {
                let completion = io.failed_with(torn_error(&pending, 0));
                return self.route(completion, began_ns, effect);
            }
            io.len = torn_len;
            pending.rest = Some(torn::cut(&mut io.payload, torn_len));
        }
        io.offset = effect.misdirect_to.unwrap_or(offset);
        let own = self.pending.insert(pending).unwrap_or_else(|_| unreachable!("depth is checked"));
        self.waiting.push_back(io.with_tag(u64::from(own)));
    }

    /// Submits what waits, as far as the device below takes it.
    fn push_waiting(&mut self) {
        while let Some(io) = self.waiting.pop_front() {
            if let Err(io) = self.inner.submit(io) {
                return self.waiting.push_front(io);
            }
        }
    }

    /// Gives a completion from below back its submitter's view.
    fn translate(&mut self, mut completion: Completion) -> (Completion, u64, Effect) {
        let request = self.pending.remove(completion.tag as u32).expect("a tag of ours");
        completion.tag = request.tag;
        if let Err(error) = &mut completion.result {
            (error.offset, error.len) = (request.offset, request.len);
        }
        let (began_ns, effect) = (request.began_ns, request.effect);
        if let (Some(torn_len), Ok(_)) = (effect.torn_len, &completion.result) {
            completion.result = Err(Box::new(torn_error(&request, torn_len)));
        }
        if let Some(rest) = request.rest {
            torn::restore(&mut completion.payload, rest);
        }
        (completion, began_ns, effect)
    }

    fn route(&mut self, completion: Completion, began_ns: u64, effect: Effect) {
        if effect.drop {
            self.lost.push(completion);
        } else if effect.reorder.is_some() {
            self.shuffled.push((completion, began_ns, effect));
        } else {
            self.hold(completion, began_ns, &effect);
        }
    }

    fn hold(&mut self, completion: Completion, began_ns: u64, effect: &Effect) {
        self.held.insert(effect.release_ns(began_ns, self.core.now()), completion);
    }

    /// Lets the shuffled completions go when there are enough, or no more can come.
    fn release_shuffled(&mut self) {
        let window = self.shuffled.iter().filter_map(|(_, _, effect)| effect.reorder).max();
        let Some(window) = window else { return };
        let is_last = self.inner.in_flight() == 0 && self.waiting.is_empty();
        if (self.shuffled.len() as u64) < u64::from(window) && !is_last {
            return;
        }
        let mut all = std::mem::take(&mut self.shuffled);
        self.plan().shuffle(&mut all);
        for (completion, began_ns, effect) in all.drain(..) {
            self.hold(completion, began_ns, &effect);
        }
        self.shuffled = all;
    }
}

fn torn_error(request: &Pending, torn_len: u64) -> IoError {
    let kind = ErrorKind::Aborted { maybe_written: true };
    let words = format!("fault: torn after {torn_len} bytes");
    IoError::new(kind, request.op, request.offset, request.len, words)
}

impl Channel for FaultChannel {
    fn submit(&mut self, io: Io) -> Result<(), Io> {
        if self.in_flight == self.depth_max {
            return Err(io);
        }
        self.in_flight += 1;
        let effect = self.plan().decide(&io, self.atomic_len);
        match effect.fail {
            Some(kind) => {
                let completion = io.failed(kind, "fault: as planned");
                self.route(completion, self.core.now(), effect);
            }
            None => self.send(io, effect),
        }
        Ok(())
    }

    fn flush_submissions(&mut self) {
        self.push_waiting();
        self.inner.flush_submissions();
    }

    fn poll(&mut self, done: &mut Completions) {
        let mut below = std::mem::take(&mut self.below);
        self.inner.poll(&mut below);
        for completion in below.drain(..) {
            let (completion, began_ns, effect) = self.translate(completion);
            self.route(completion, began_ns, effect);
        }
        self.below = below;
        self.release_shuffled();
        let start = done.len();
        self.held.advance(self.core.now(), done);
        self.in_flight -= (done.len() - start) as u32;
    }

    fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// A ring's wake-up ends the wait for a time, so `Until` covers both.
    fn wait_source(&self) -> WaitSource {
        if !self.waiting.is_empty() {
            return WaitSource::Poll;
        }
        let below = match self.inner.in_flight() {
            0 => WaitSource::Ring,
            _ => self.inner.wait_source(),
        };
        match (below, self.held.next_deadline()) {
            (WaitSource::Until(a), Some(b)) => WaitSource::Until(a.min(b)),
            (WaitSource::Ring, Some(b)) => WaitSource::Until(b),
            (below, _) => below,
        }
    }

    fn take_event(&mut self) -> Option<DeviceEvent> {
        self.inner.take_event()
    }
}

//! Reactors that know each other: a bounded ring from each to each.
//!
//! Invariants: a ring has one sender and one receiver, so a message costs no locked instruction; a
//! full ring gives the call back; a core that sleeps is woken, a core that is awake is not.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;

use super::ReactorThread;
use crate::block::WaitSource;
use crate::core::{Core, CoreConfig, CoreHandle, Polled};
use crate::cross::Call;
use crate::cross::spsc::{self, Consumer, Producer};
use crate::error::SetupError;

/// Calls on their way from one core to one other.
pub const LANE_CALLS_MAX: usize = 256;
/// Calls handled from one peer in one turn.
const CALLS_PER_TURN_MAX: usize = 32;

/// Reactors on threads of their own that send calls to each other without locks.
pub struct ReactorGroup {
    threads: Vec<ReactorThread>,
}

impl ReactorGroup {
    /// Starts a reactor for each configuration and connects each with each.
    pub fn start(configs: Vec<CoreConfig>) -> Result<ReactorGroup, SetupError> {
        let started = configs.into_iter().map(ReactorThread::start);
        let threads = started.collect::<Result<Vec<_>, _>>()?;
        let handles: Vec<CoreHandle> = threads.iter().map(ReactorThread::handle).collect();
        let gone =
            || SetupError::new("reactor group", "a reactor ended at its start", "see the log");
        let (report, joined) = mpsc::channel();
        for (me, ends) in lanes(threads.len()).into_iter().enumerate() {
            let (handles, report) = (handles.clone(), report.clone());
            let join = move |core: &Rc<Core>| {
                Peers::join(core, me, handles, ends);
                // The starter waits for every report, so the channel is open.
                let _reported = report.send(());
            };
            threads[me].handle().send(Box::new(join)).map_err(|_| gone())?;
        }
        drop(report);
        for _ in &threads {
            joined.recv().map_err(|_| gone())?;
        }
        Ok(ReactorGroup { threads })
    }

    /// The reactors, by their number in the group.
    pub fn threads(&self) -> &[ReactorThread] {
        &self.threads
    }
}

/// One core's ends of the rings: to each peer (none to itself), and from each.
type Ends = (Vec<Option<Producer<Call>>>, Vec<Consumer<Call>>);

fn lanes(n: usize) -> Vec<Ends> {
    let mut ends: Vec<Ends> = (0..n).map(|_| (Vec::new(), Vec::new())).collect();
    for from in 0..n {
        for to in 0..n {
            if from == to {
                ends[from].0.push(None);
                continue;
            }
            let (producer, consumer) = spsc::ring(LANE_CALLS_MAX);
            ends[from].0.push(Some(producer));
            ends[to].1.push(consumer);
        }
    }
    ends
}

/// A core's way to the other cores of its group.
pub struct Peers {
    me: usize,
    handles: Vec<CoreHandle>,
    to: RefCell<Vec<Option<Producer<Call>>>>,
    from: RefCell<Vec<Consumer<Call>>>,
}

impl Peers {
    fn join(core: &Rc<Core>, me: usize, handles: Vec<CoreHandle>, (to, from): Ends) {
        let (to, from) = (RefCell::new(to), RefCell::new(from));
        let peers = Rc::new(Peers { me, handles, to, from });
        core.set_peers(Rc::clone(&peers));
        core.add_polled(peers);
    }

    /// This core's number in the group.
    pub fn me(&self) -> usize {
        self.me
    }

    /// Cores in the group.
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// True for a group of nobody.
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }

    /// Sends a call to a peer; gives it back while the ring is full, and for a number that is no
    /// other core of the group.
    pub fn send(&self, peer: usize, call: Call) -> Result<(), Call> {
        match self.to.borrow_mut().get_mut(peer) {
            Some(Some(lane)) => lane.push(call)?,
            _ => return Err(call),
        }
        self.handles[peer].notify();
        Ok(())
    }

    fn has_calls(&self) -> bool {
        self.from.borrow_mut().iter_mut().any(|lane| !lane.is_empty())
    }

    fn pop(&self, lane: usize) -> Option<Call> {
        self.from.borrow_mut().get_mut(lane)?.pop()
    }
}

impl Polled for Peers {
    fn flush(&self) {}

    fn poll(&self, core: &Rc<Core>) -> usize {
        let mut handled = 0;
        for lane in 0..self.handles.len() - 1 {
            for _ in 0..CALLS_PER_TURN_MAX {
                // The borrow ends before the call runs: it may send.
                let Some(call) = self.pop(lane) else { break };
                call(core);
                handled += 1;
            }
        }
        handled
    }

    fn wait_source(&self) -> Option<WaitSource> {
        self.has_calls().then_some(WaitSource::Poll)
    }

    fn arm(&self) -> bool {
        !self.has_calls()
    }
}

//! The machine inside a simulated disk: requests come in, time passes, completions go out.
//!
//! Invariants: what a request does to the medium happens between its submission and its
//! completion, never later (save for requests whose host is gone); `advance` handles events in the
//! order of their times, so a disk looked at late behaves as one that was looked at on time.

use std::collections::BTreeMap;

use super::super::trace::Trace;
use super::super::{PPM, Rng};
use super::config::{DiskConfig, RuleAction};
use super::medium::Medium;
use super::ranges::Piece;
use super::{DiskStats, plan};
use crate::block::{Completion, Completions, Io, Op};
use crate::error::{ErrorKind, IoError};

/// How often a change of several atomic units becomes visible in two steps.
const MIDWAY_PPM: u32 = PPM / 10 * 3;

/// A request on its way.
pub(super) struct Request {
    /// Who waits for it; nobody once the host is gone.
    pub(super) port: Option<u64>,
    pub(super) io: Io,
    /// What it still has to change.
    pub(super) rest: Vec<Piece>,
    /// For a flush: the last effect applied when it was submitted.
    pub(super) flush_to: u64,
    /// The fault that a rule gave it.
    pub(super) fault: Option<ErrorKind>,
}

/// A channel as the disk sees it.
pub(super) struct Port {
    pub(super) done: Completions,
    pub(super) in_flight: u32,
    /// The power cycle in which it was opened.
    pub(super) power_cycle: u64,
    /// The size that its user knows of.
    pub(super) seen_size: u64,
}

#[derive(Clone, Copy)]
pub(super) enum Event {
    /// A part of the request's change becomes visible.
    Midway(u64),
    Complete(u64),
    /// A flush that was acknowledged early does its work.
    Settle(u64),
}

pub(super) struct State {
    pub(super) config: DiskConfig,
    pub(super) number: u64,
    pub(super) size: u64,
    pub(super) now: u64,
    pub(super) rng: Rng,
    pub(super) trace: Trace,
    pub(super) medium: Medium,
    pub(super) events: BTreeMap<(u64, u64), Event>,
    pub(super) requests: BTreeMap<u64, Request>,
    pub(super) ports: BTreeMap<u64, Port>,
    pub(super) is_powered: bool,
    pub(super) power_cycle: u64,
    pub(super) stats: DiskStats,
    /// Numbers requests, ports and events.
    next: u64,
}

impl State {
    pub(super) fn new(config: DiskConfig, rng: Rng, trace: Trace, number: u64) -> State {
        config.check();
        State {
            number,
            size: config.size,
            now: 0,
            rng,
            trace,
            medium: Medium::new(config.atomic_len),
            events: BTreeMap::new(),
            requests: BTreeMap::new(),
            ports: BTreeMap::new(),
            is_powered: true,
            power_cycle: 0,
            stats: DiskStats::default(),
            next: 0,
            config,
        }
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn open_port(&mut self) -> u64 {
        let number = self.next_number();
        let power_cycle = self.power_cycle;
        let done = Vec::with_capacity(self.config.depth_max as usize);
        self.ports.insert(number, Port { done, in_flight: 0, power_cycle, seen_size: self.size });
        number
    }

    /// Takes a request, or gives it back while the port's depth is in flight.
    pub(super) fn submit(&mut self, number: u64, io: Io) -> Result<(), Io> {
        let depth_max = self.config.depth_max;
        let port = self.ports.get_mut(&number).expect("a channel has its port until it is dropped");
        if port.in_flight == depth_max {
            return Err(io);
        }
        port.in_flight += 1;
        let is_reachable = self.is_powered && port.power_cycle == self.power_cycle;
        let refused = if is_reachable {
            plan::refusal(&self.config, self.size, &io)
        } else {
            Some((ErrorKind::PathLost, format!("{}: lost its power", self.config.name)))
        };
        match refused {
            Some((kind, why)) => port.done.push(io.failed(kind, why)),
            None => self.accept(number, io),
        }
        Ok(())
    }

    fn accept(&mut self, port: u64, io: Io) {
        let action = self.rule_for(&io);
        let fault = action.and_then(|action| match action {
            RuleAction::Fail(kind) => Some(kind),
            _ => None,
        });
        let rest = plan::changes(self, &io);
        let units = self.medium.units(&rest).len();
        let is_split = units > 1 && io.op != Op::CompareAndWrite && self.rng.chance(MIDWAY_PPM);
        let flush_to = self.medium.applied();
        let id = self.next_number();
        self.requests.insert(id, Request { port: Some(port), io, rest, flush_to, fault });
        let delay = self.config.latency.draw(&mut self.rng);
        let delay = match action {
            Some(RuleAction::Hang) => None,
            Some(RuleAction::Delay(more)) => delay.map(|ns| ns.saturating_add(more)),
            _ => delay,
        };
        let Some(delay) = delay else {
            self.stats.hung += 1;
            return;
        };
        let end = self.now.saturating_add(delay);
        if is_split {
            let midway = self.rng.within(self.now..end);
            self.at(midway, Event::Midway(id));
        }
        self.at(end, Event::Complete(id));
    }

    fn rule_for(&mut self, io: &Io) -> Option<RuleAction> {
        let hit = self.config.rules.iter_mut().find_map(|rule| {
            let is_hit = rule.hits(io.op, io.offset, io.len);
            is_hit.then_some(rule.action)
        });
        self.stats.by_rule += u64::from(hit.is_some());
        hit
    }

    pub(super) fn at(&mut self, ns: u64, event: Event) {
        let nth = self.next_number();
        self.events.insert((ns, nth), event);
    }

    /// Lets time pass until `now_ns`.
    pub(super) fn advance(&mut self, now_ns: u64) {
        while let Some(entry) = self.events.first_entry() {
            let (at, _) = *entry.key();
            if at > now_ns {
                break;
            }
            let event = entry.remove();
            self.now = self.now.max(at);
            self.handle(event);
        }
        self.now = self.now.max(now_ns);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Midway(id) => self.apply_half(id),
            Event::Complete(id) => {
                if let Some(request) = self.requests.remove(&id) {
                    self.finish(request);
                }
            }
            Event::Settle(nth) => self.medium.flush(nth, |_| false),
        }
    }

    /// Shows some units of a change before the request completes.
    fn apply_half(&mut self, id: u64) {
        let Some(request) = self.requests.get_mut(&id).filter(|r| r.fault.is_none()) else {
            return;
        };
        let units = self.medium.units(&request.rest);
        let rng = &mut self.rng;
        let (now, later) = units.into_iter().partition(|_| rng.chance(PPM / 2));
        request.rest = later;
        self.medium.apply(now);
    }

    /// Gives a completion to whoever waits for it.
    pub(super) fn give(&mut self, port: Option<u64>, completion: Completion) {
        if let Some(port) = port.and_then(|number| self.ports.get_mut(&number)) {
            port.done.push(completion);
        }
    }

    /// When the next thing happens by itself.
    pub(super) fn next_event(&self) -> Option<u64> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    /// When the next request of a port completes.
    pub(super) fn next_completion(&self, port: u64) -> Option<u64> {
        let is_ours = |id: &u64| self.requests.get(id).is_some_and(|r| r.port == Some(port));
        self.events.iter().find_map(|((at, _), event)| match event {
            Event::Complete(id) if is_ours(id) => Some(*at),
            _ => None,
        })
    }

    /// Requests that hang complete now.
    pub(super) fn release_hung(&mut self) {
        let scheduled: Vec<u64> = self.events.values().filter_map(completing).collect();
        let hung: Vec<u64> =
            self.requests.keys().copied().filter(|id| !scheduled.contains(id)).collect();
        hung.into_iter().for_each(|id| self.at(self.now, Event::Complete(id)));
    }

    pub(super) fn resize(&mut self, size: u64) {
        self.size = size;
        self.medium.truncate(size);
        self.trace.note(self.now, "resize", self.number, [size, 0]);
    }

    pub(super) fn error(&self, io: &Io, kind: ErrorKind, why: &str) -> IoError {
        let detail = format!("{}: {why}", self.config.name);
        IoError::new(kind, io.op, io.offset, io.len, detail)
    }
}

fn completing(event: &Event) -> Option<u64> {
    match event {
        Event::Complete(id) => Some(*id),
        _ => None,
    }
}

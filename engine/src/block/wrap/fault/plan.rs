//! What goes wrong, and when: rules in order, each with a filter and an action.

use std::ops::Range;

use super::super::SplitMix64;
use super::effect::Effect;
use crate::block::{Io, Op};
use crate::error::ErrorKind;

/// Which of the requests that pass a rule's filter it acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// All of them.
    Always,
    /// The one with this number, counted from one.
    Nth(u64),
    /// Each one whose number, counted from one, is a multiple of this (none, for zero).
    Every(u64),
    /// So many in a million, decided by the plan's seed.
    PerMillion(u32),
}

/// What a rule does to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultAction {
    /// It fails with this kind and never reaches the device.
    Fail(ErrorKind),
    /// It completes no sooner than this after its submission.
    Delay {
        /// Nanoseconds of the core's clock.
        ns: u64,
    },
    /// As `Delay`, by a random time.
    Jitter {
        /// The longest delay in nanoseconds.
        ns_max: u64,
    },
    /// It does not complete while the device stalls: during the last `stall_ns` of every
    /// `period_ns` of the core's clock.
    Stall {
        /// From the end of one stall to the end of the next, in nanoseconds; not zero.
        period_ns: u64,
        /// How long a stall is, in nanoseconds.
        stall_ns: u64,
    },
    /// It reaches the device and its completion is lost.
    Drop,
    /// Of a write or write-zeroes, only the part before a random border of atomic units reaches
    /// the device; then it fails with `Aborted { maybe_written: true }`.
    Torn,
    /// A read, write or write-zeroes goes to another place and succeeds.
    Misdirect {
        /// The other offset in bytes.
        to: u64,
    },
    /// Completions are held until there are `window` of them, or nothing else is in flight, and
    /// come in random order.
    Reorder {
        /// How many are held.
        window: u32,
    },
}

/// A filter and an action.
#[derive(Clone, Debug)]
pub struct FaultRule {
    action: FaultAction,
    op: Option<Op>,
    bytes: Range<u64>,
    pick: Pick,
    times: u64,
}

impl FaultRule {
    /// Acts on every request.
    pub fn new(action: FaultAction) -> FaultRule {
        FaultRule { action, op: None, bytes: 0..u64::MAX, pick: Pick::Always, times: u64::MAX }
    }

    /// Acts on this operation only.
    #[must_use]
    pub fn on(self, op: Op) -> FaultRule {
        FaultRule { op: Some(op), ..self }
    }

    /// Acts only on requests that touch one of these bytes.
    #[must_use]
    pub fn within(self, bytes: Range<u64>) -> FaultRule {
        FaultRule { bytes, ..self }
    }

    /// Acts on these of the requests that pass the filter.
    #[must_use]
    pub fn pick(self, pick: Pick) -> FaultRule {
        FaultRule { pick, ..self }
    }

    /// Acts so many times and never again.
    #[must_use]
    pub fn times(self, times: u64) -> FaultRule {
        FaultRule { times, ..self }
    }

    fn concerns(&self, io: &Io) -> bool {
        let end = io.offset.saturating_add(io.len);
        let is_everywhere = self.bytes == (0..u64::MAX);
        let touches = io.op.has_range() && io.offset < self.bytes.end && end > self.bytes.start;
        self.op.is_none_or(|op| op == io.op) && (is_everywhere || touches)
    }
}

/// A seed and the rules in the order in which they act. What several rules do adds up, until one
/// fails the request.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    seed: u64,
    rules: Vec<FaultRule>,
}

impl FaultPlan {
    /// A plan without rules; `seed` decides everything that is random in it.
    pub fn new(seed: u64) -> FaultPlan {
        FaultPlan { seed, rules: Vec::new() }
    }

    /// The plan with another rule behind the others.
    #[must_use]
    pub fn rule(mut self, rule: FaultRule) -> FaultPlan {
        self.rules.push(rule);
        self
    }
}

struct Counted {
    rule: FaultRule,
    /// Requests that passed the filter.
    matched: u64,
    fired: u64,
}

impl Counted {
    fn fires(&mut self, io: &Io, rng: &mut SplitMix64) -> bool {
        if !self.rule.concerns(io) {
            return false;
        }
        self.matched += 1;
        let is_picked = match self.rule.pick {
            Pick::Always => true,
            Pick::Nth(n) => self.matched == n,
            Pick::Every(n) => self.matched.is_multiple_of(n),
            Pick::PerMillion(n) => rng.below(1_000_000) < u64::from(n),
        };
        let fires = is_picked && self.fired < self.rule.times;
        self.fired += u64::from(fires);
        fires
    }
}

/// A plan under way, shared by the channels of the device.
pub(super) struct PlanState {
    rng: SplitMix64,
    rules: Vec<Counted>,
}

impl PlanState {
    pub(super) fn new(plan: FaultPlan) -> PlanState {
        let counted = |rule| Counted { rule, matched: 0, fired: 0 };
        PlanState {
            rng: SplitMix64::new(plan.seed),
            rules: plan.rules.into_iter().map(counted).collect(),
        }
    }

    pub(super) fn fired(&self) -> Vec<u64> {
        self.rules.iter().map(|counted| counted.fired).collect()
    }

    /// What happens to a request that is submitted now.
    pub(super) fn decide(&mut self, io: &Io, atomic_len: u32) -> Effect {
        let mut effect = Effect::default();
        for counted in &mut self.rules {
            if counted.fires(io, &mut self.rng) {
                effect.add(counted.rule.action, io, atomic_len, &mut self.rng);
            }
            if effect.fail.is_some() {
                break;
            }
        }
        effect
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        self.rng.shuffle(items);
    }
}

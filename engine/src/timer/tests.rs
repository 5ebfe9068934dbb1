use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn expired<T>(wheel: &mut TimerWheel<T>, now_ns: u64) -> Vec<T> {
    let mut out = Vec::new();
    wheel.advance(now_ns, &mut out);
    out
}

#[test]
fn a_timer_expires_at_its_nanosecond_and_not_before() {
    for deadline in [1, TICK_NS - 1, TICK_NS, 64 * TICK_NS + 7, 1 << 40, u64::MAX] {
        let mut wheel = TimerWheel::new();
        wheel.insert(deadline, ());
        assert!(expired(&mut wheel, deadline - 1).is_empty(), "{deadline} came early");
        assert_eq!(wheel.next_deadline(), Some(deadline), "exact within the current tick");
        assert_eq!(expired(&mut wheel, deadline).len(), 1, "{deadline} is due");
        assert!(wheel.is_empty() && wheel.next_deadline().is_none());
    }
}

#[test]
fn a_deadline_in_the_past_is_due_at_once() {
    let mut wheel = TimerWheel::new();
    assert!(expired(&mut wheel, 1 << 50).is_empty());
    wheel.insert(3, "late");
    assert_eq!(wheel.next_deadline(), Some(3));
    assert_eq!(expired(&mut wheel, 1 << 50), ["late"]);
}

#[test]
fn a_key_is_good_for_one_timer() {
    let mut wheel = TimerWheel::new();
    let a = wheel.insert(10, 'a');
    assert_eq!(wheel.cancel(a), Some('a'));
    let b = wheel.insert(10, 'b');
    assert_eq!(wheel.cancel(a), None, "the node is used again, the key is not");
    assert_eq!(expired(&mut wheel, 10), ['b']);
    assert_eq!(wheel.cancel(b), None);
}

#[test]
fn timers_of_one_tick_keep_their_order_through_the_levels() {
    let mut wheel = TimerWheel::new();
    let at = 5 * 64 * 64 * TICK_NS + 100;
    wheel.insert(at, 0);
    assert!(expired(&mut wheel, at - 64 * TICK_NS).is_empty());
    wheel.insert(at - 50, 1);
    assert!(expired(&mut wheel, at - 100).is_empty());
    wheel.insert(at, 2);
    assert_eq!(expired(&mut wheel, at), [0, 1, 2]);
}

#[test]
fn a_cancelled_timer_does_not_hold_back_the_next_deadline_for_ever() {
    let mut wheel = TimerWheel::new();
    let first = wheel.insert(100, 0);
    wheel.insert(200, 1);
    wheel.cancel(first);
    assert!(expired(&mut wheel, 150).is_empty());
    assert_eq!(wheel.next_deadline(), Some(200), "later than the last advance");
}

#[derive(Clone, Debug)]
enum Step {
    Insert { delay_ns: u64 },
    Cancel { pick: usize },
    Advance { by_ns: u64 },
    Sleep,
}

/// Delays of every magnitude, so that every level is visited.
fn delay() -> impl Strategy<Value = u64> {
    (0u32..62, any::<u64>()).prop_map(|(bits, n)| n & ((1 << bits) - 1))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => delay().prop_map(|delay_ns| Step::Insert { delay_ns }),
        2 => any::<usize>().prop_map(|pick| Step::Cancel { pick }),
        2 => delay().prop_map(|by_ns| Step::Advance { by_ns: by_ns >> 8 }),
        2 => Just(Step::Sleep),
    ]
}

/// The same timers in a sorted map.
#[derive(Default)]
struct Model {
    wheel: TimerWheel<u64>,
    /// Number of a timer to its deadline and key.
    running: BTreeMap<u64, (u64, TimerKey)>,
    ever: u64,
    now_ns: u64,
}

impl Model {
    fn apply(&mut self, step: Step) {
        match step {
            Step::Insert { delay_ns } => {
                let deadline = self.now_ns.saturating_add(delay_ns);
                let key = self.wheel.insert(deadline, self.ever);
                self.running.insert(self.ever, (deadline, key));
                self.ever += 1;
            }
            Step::Cancel { pick } => {
                let nth = pick % self.running.len().max(1);
                let Some((&id, &(_, key))) = self.running.iter().nth(nth) else {
                    return;
                };
                assert_eq!(self.wheel.cancel(key), Some(id));
                self.running.remove(&id);
            }
            Step::Advance { by_ns } => self.advance_to(self.now_ns.saturating_add(by_ns)),
            Step::Sleep => {
                let Some(next) = self.wheel.next_deadline() else {
                    return;
                };
                self.advance_to(next.max(self.now_ns));
            }
        }
        let earliest = self.running.values().map(|(deadline, _)| *deadline).min();
        assert_eq!(self.wheel.next_deadline().is_some(), earliest.is_some());
        assert!(self.wheel.next_deadline() <= earliest, "a sleep would be too long");
        assert_eq!(self.wheel.len(), self.running.len());
    }

    fn advance_to(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        let due: Vec<u64> =
            self.running.iter().filter(|(_, t)| t.0 <= now_ns).map(|(id, _)| *id).collect();
        let fired = expired(&mut self.wheel, now_ns);
        let ticks: Vec<u64> = fired.iter().map(|id| self.running[id].0 / TICK_NS).collect();
        assert!(ticks.is_sorted(), "out of order: {ticks:?}");
        let mut sorted = fired.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, due, "at {now_ns}");
        for id in fired {
            let (_, key) = self.running.remove(&id).unwrap();
            assert_eq!(self.wheel.cancel(key), None);
        }
        assert!(self.wheel.next_deadline().is_none_or(|next| next > now_ns), "no progress");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_wheel_is_a_sorted_map(start in delay(), steps in prop::collection::vec(step(), 0..200)) {
        let mut model = Model::default();
        model.advance_to(start);
        steps.into_iter().for_each(|step| model.apply(step));
        model.advance_to(u64::MAX);
        assert!(model.running.is_empty());
    }
}

//! Random requests against a model that is written differently: a flat list and one big match.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    /// Key of each nexus, zero where it is not registered.
    keys: [u64; 4],
    kind: Option<Kind>,
    /// For kinds of a single holder.
    holder: usize,
    changes: u32,
}

impl Model {
    fn holds(&self, who: usize) -> bool {
        self.kind.is_some_and(|kind| {
            if kind.to_type() >= 7 { self.keys[who] != 0 } else { self.holder == who }
        })
    }

    fn leave(&mut self, who: usize) {
        let held = self.holds(who);
        self.keys[who] = 0;
        let shared = self.kind.is_some_and(|kind| kind.to_type() >= 7);
        if held && (!shared || self.keys == [0; 4]) {
            self.kind = None;
        }
    }

    /// True where the request is performed.
    fn step(&mut self, who: usize, request: &Request<u8>) -> bool {
        let own = self.keys[who];
        match *request {
            Request::Register { key, .. } if key != own => false,
            Request::Register { new_key, .. } | Request::RegisterIgnore { new_key, .. } => {
                self.changes += u32::from(own != 0 || new_key != 0);
                if new_key == 0 {
                    self.leave(who)
                } else {
                    self.keys[who] = new_key
                }
                true
            }
            Request::Reserve { key, .. }
            | Request::Release { key, .. }
            | Request::Clear { key }
            | Request::Preempt { key, .. }
            | Request::Move { key, .. }
                if own == 0 || key != own =>
            {
                false
            }
            Request::Reserve { kind, .. } => {
                let free = self.kind.is_none();
                if free {
                    (self.kind, self.holder) = (Some(kind), who);
                }
                free || (self.kind == Some(kind) && self.holds(who))
            }
            Request::Release { kind, .. } => {
                let fits = !self.holds(who) || self.kind == Some(kind);
                if fits && self.holds(who) {
                    self.kind = None;
                }
                fits
            }
            Request::Clear { .. } => {
                *self = Model { changes: self.changes + 1, ..Model::default() };
                true
            }
            Request::Preempt { victim, kind, .. } => self.preempt(who, victim, kind),
            Request::Move { new_key, to, unregister, .. } => {
                let to = usize::from(to);
                let single = self.kind.is_some_and(|kind| kind.to_type() < 7);
                if !single || self.holder != who || new_key == 0 || to == who {
                    return false;
                }
                self.keys[to] = new_key;
                self.holder = to;
                self.keys[who] = if unregister { 0 } else { own };
                self.changes += 1;
                true
            }
        }
    }

    fn preempt(&mut self, who: usize, victim: u64, kind: Kind) -> bool {
        let shared = self.kind.is_some_and(|held| held.to_type() >= 7);
        if (victim == 0 && !shared) || (victim != 0 && !self.keys.contains(&victim)) {
            return false;
        }
        let takes =
            victim == 0 || (!shared && self.kind.is_some() && self.keys[self.holder] == victim);
        for other in 0..4 {
            let goes = (victim == 0 || self.keys[other] == victim) && !(takes && other == who);
            if goes {
                self.keys[other] = 0;
            }
        }
        if takes {
            (self.kind, self.holder) = (Some(kind), who);
        } else if self.keys == [0; 4] {
            self.kind = None;
        }
        self.changes += 1;
        true
    }
}

fn any_request() -> impl Strategy<Value = Request<u8>> {
    let kind = (0..Kind::ALL.len()).prop_map(|index| Kind::ALL[index]);
    let parts = (0..7, 0u64..4, 0u64..4, kind, 0u8..4, any::<bool>());
    parts.prop_map(|(which, key, second, kind, to, flag)| match which {
        0 => Request::Register { key, new_key: second, keep: flag, also: vec![] },
        1 => Request::RegisterIgnore { new_key: second, keep: flag },
        2 => Request::Reserve { key, kind },
        3 => Request::Release { key, kind },
        4 => Request::Clear { key },
        5 => Request::Preempt { key, victim: second, kind, abort: flag },
        _ => Request::Move { key, new_key: second, to, unregister: flag, keep: flag },
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn machine_and_model_agree(steps in prop::collection::vec((0u8..4, any_request()), 1..60)) {
        let (mut machine, mut model) = (Machine::new(), Model::default());
        for (who, request) in steps {
            let before = machine.clone();
            let performed = model.step(who.into(), &request);
            let outcome = machine.apply(&who, request);
            prop_assert_eq!(outcome.is_ok(), performed);
            check_outcome(&before, &machine, who, outcome)?;
            for nexus in 0..4u8 {
                let key = model.keys[usize::from(nexus)];
                prop_assert_eq!(machine.key_of(&nexus).unwrap_or(0), key);
                prop_assert_eq!(machine.is_holder(&nexus), model.holds(nexus.into()));
            }
            prop_assert_eq!(machine.kind(), model.kind);
            prop_assert_eq!(machine.generation(), model.changes);
        }
    }
}

/// What holds for every request, whatever it is.
fn check_outcome(
    before: &Machine,
    after: &Machine,
    who: u8,
    outcome: Result<Effect<u8>, Refusal>,
) -> Result<(), TestCaseError> {
    let Ok(effect) = outcome else {
        prop_assert_eq!(before, after);
        return Ok(());
    };
    prop_assert!(effect.is_changed || before == after);
    let told: Vec<u8> = effect.attentions.iter().map(|(nexus, _)| *nexus).collect();
    prop_assert!(!told.contains(&who), "who asked knows already");
    for nexus in effect.victims {
        prop_assert!(before.key_of(&nexus).is_some() && after.key_of(&nexus).is_none());
    }
    let lost = (0..4u8).filter(|nexus| {
        *nexus != who && before.key_of(nexus).is_some() && after.key_of(nexus).is_none()
    });
    for nexus in lost {
        prop_assert!(told.contains(&nexus), "nobody loses a registration unheard");
    }
    Ok(())
}

//! The transitions, all but PREEMPT (SPC-4 sections 5.13.7 to 5.13.11).

use alloc::vec::Vec;

use super::{
    Attention, Effect, Held, Kind, Nexus, REGISTRANTS_MAX, Refusal, Request, Reservations,
};

type Outcome<N> = Result<Effect<N>, Refusal>;

impl<N: Nexus> Reservations<N> {
    /// Performs a request of `nexus`.
    ///
    /// # Errors
    /// A [`Refusal`], after which nothing has changed.
    pub fn apply(&mut self, nexus: &N, request: Request<N>) -> Result<Effect<N>, Refusal> {
        let outcome = match request {
            Request::Register { key, new_key, keep, also } => {
                self.register(nexus, key, new_key, keep, &also)
            }
            Request::RegisterIgnore { new_key, keep } => self.set_key(nexus, new_key, keep, &[]),
            Request::Reserve { key, kind } => self.reserve(nexus, key, kind),
            Request::Release { key, kind } => self.release(nexus, key, kind),
            Request::Clear { key } => self.clear(nexus, key),
            Request::Preempt { key, victim, kind, abort } => {
                self.expect_key(nexus, key)?;
                self.preempt(nexus, victim, kind, abort)
            }
            Request::Move { key, new_key, to, unregister, keep } => {
                self.expect_key(nexus, key)?;
                self.move_to(nexus, new_key, to, unregister, keep)
            }
        };
        self.assert_invariants();
        outcome
    }

    /// Every action but the registering ones is for registrants who know their key.
    fn expect_key(&self, nexus: &N, key: u64) -> Result<(), Refusal> {
        (self.key_of(nexus) == Some(key)).then_some(()).ok_or(Refusal::Conflict)
    }

    /// The key of a nexus that is not registered counts as zero (section 6.16.3, table 192).
    fn register(&mut self, nexus: &N, key: u64, new: u64, keep: bool, also: &[N]) -> Outcome<N> {
        let own = self.key_of(nexus);
        if own.unwrap_or(0) != key {
            return Err(Refusal::Conflict);
        }
        if !also.is_empty() && (own.is_some() || new == 0) {
            return Err(Refusal::InvalidParameter);
        }
        self.set_key(nexus, new, keep, also)
    }

    fn set_key(&mut self, nexus: &N, new_key: u64, keep: bool, also: &[N]) -> Outcome<N> {
        if new_key != 0 {
            return self.enter(nexus, new_key, keep, also);
        }
        if self.key_of(nexus).is_none() {
            // Unregistering nobody does nothing but answer GOOD.
            return Ok(Effect::none());
        }
        self.is_kept = keep;
        self.move_generation();
        let mut effect = Effect::changed();
        effect.attentions = self.unregister(nexus);
        Ok(effect)
    }

    fn enter(&mut self, nexus: &N, key: u64, keep: bool, also: &[N]) -> Outcome<N> {
        // Those named by SPEC_I_PT must be new, or the whole command fails.
        if also.iter().any(|other| self.registrants.contains_key(other)) {
            return Err(Refusal::InvalidParameter);
        }
        let entering = also.len() + usize::from(!self.registrants.contains_key(nexus));
        if self.registrants.len() + entering > REGISTRANTS_MAX {
            return Err(Refusal::NoRoom);
        }
        for entering in also.iter().chain([nexus]) {
            self.registrants.insert(entering.clone(), key);
        }
        self.is_kept = keep;
        self.move_generation();
        Ok(Effect::changed())
    }

    /// Takes a registration away, and the reservation where it cannot stay without it.
    fn unregister(&mut self, nexus: &N) -> Vec<(N, Attention)> {
        let was_holder = self.is_holder(nexus);
        self.registrants.remove(nexus);
        let Some(held) = self.held.as_ref().filter(|_| was_holder) else { return Vec::new() };
        let (kind, is_shared) = (held.kind, held.holder.is_none());
        if is_shared && !self.registrants.is_empty() {
            return Vec::new();
        }
        self.held = None;
        if kind.is_registrants_only() { self.released(nexus) } else { Vec::new() }
    }

    fn reserve(&mut self, nexus: &N, key: u64, kind: Kind) -> Outcome<N> {
        self.expect_key(nexus, key)?;
        match self.kind() {
            None => {
                self.held = Some(Held::by(nexus, kind));
                Ok(Effect::changed())
            }
            Some(held) if held == kind && self.is_holder(nexus) => Ok(Effect::none()),
            Some(_) => Err(Refusal::Conflict),
        }
    }

    fn release(&mut self, nexus: &N, key: u64, kind: Kind) -> Outcome<N> {
        self.expect_key(nexus, key)?;
        let Some(held) = self.kind().filter(|_| self.is_holder(nexus)) else {
            return Ok(Effect::none());
        };
        if held != kind {
            return Err(Refusal::InvalidRelease);
        }
        self.held = None;
        let mut effect = Effect::changed();
        if kind.is_registrants_only() || kind.is_all_registrants() {
            effect.attentions = self.released(nexus);
        }
        Ok(effect)
    }

    fn clear(&mut self, nexus: &N, key: u64) -> Outcome<N> {
        self.expect_key(nexus, key)?;
        let mut effect = Effect::changed();
        effect.attentions = self.tell_others(nexus, Attention::ReservationsPreempted);
        self.registrants.clear();
        self.held = None;
        self.move_generation();
        Ok(effect)
    }

    fn move_to(&mut self, from: &N, key: u64, to: N, unregister: bool, keep: bool) -> Outcome<N> {
        let is_sole_holder =
            self.held.as_ref().is_some_and(|held| held.holder.as_ref() == Some(from));
        if !is_sole_holder {
            return Err(Refusal::Conflict);
        }
        if key == 0 || to == *from {
            return Err(Refusal::InvalidParameter);
        }
        if self.registrants.len() == REGISTRANTS_MAX && !self.registrants.contains_key(&to) {
            return Err(Refusal::NoRoom);
        }
        self.registrants.insert(to.clone(), key);
        if let Some(held) = &mut self.held {
            held.holder = Some(to);
        }
        if unregister {
            self.registrants.remove(from);
        }
        self.is_kept = keep;
        self.move_generation();
        Ok(Effect::changed())
    }

    fn released(&self, by: &N) -> Vec<(N, Attention)> {
        self.tell_others(by, Attention::ReservationsReleased)
    }

    /// Every registrant but one is to be told.
    pub(super) fn tell_others(&self, but: &N, what: Attention) -> Vec<(N, Attention)> {
        let others = self.registrants.keys().filter(|nexus| *nexus != but);
        others.map(|nexus| (nexus.clone(), what)).collect()
    }

    pub(super) fn move_generation(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }
}

impl<N: Nexus> Held<N> {
    pub(super) fn by(nexus: &N, kind: Kind) -> Held<N> {
        Held { kind, holder: (!kind.is_all_registrants()).then(|| nexus.clone()) }
    }
}

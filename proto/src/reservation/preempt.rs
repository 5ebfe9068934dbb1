//! PREEMPT and PREEMPT AND ABORT (SPC-4 section 5.13.11.2.3, figure 9).
//!
//! Two roads: where the key is that of the holder (or zero, when all registrants hold), the
//! reservation changes hands; otherwise only registrations go.

use alloc::vec::Vec;

use super::{Attention, Effect, Held, Kind, Nexus, Refusal, Reservations};

impl<N: Nexus> Reservations<N> {
    pub(super) fn preempt(
        &mut self,
        nexus: &N,
        victim: u64,
        kind: Kind,
        abort: bool,
    ) -> Result<Effect<N>, Refusal> {
        let is_shared = self.kind().is_some_and(Kind::is_all_registrants);
        let takes_over = match victim {
            0 if is_shared => true,
            0 => return Err(Refusal::InvalidParameter),
            key if !self.registrants.values().any(|other| *other == key) => {
                return Err(Refusal::Conflict);
            }
            key => !is_shared && self.holder_key() == Some(key),
        };
        let mut effect = Effect::changed();
        let gone = if takes_over {
            self.take_over(nexus, victim, kind, &mut effect)
        } else {
            self.remove_registrations(victim)
        };
        let others: Vec<N> = gone.into_iter().filter(|other| other != nexus).collect();
        let told = others.iter().map(|other| (other.clone(), Attention::RegistrationsPreempted));
        effect.attentions.extend(told);
        effect.victims = if abort { others } else { Vec::new() };
        self.move_generation();
        Ok(effect)
    }

    /// The reservation changes hands: the victims go, the new holder stays even with their key. Who
    /// stays registered is told when the kind has changed.
    fn take_over(&mut self, nexus: &N, victim: u64, kind: Kind, to: &mut Effect<N>) -> Vec<N> {
        let is_victim = |other: &N, key: u64| other != nexus && (victim == 0 || key == victim);
        let gone = self.remove_where(is_victim);
        if self.kind() != Some(kind) {
            to.attentions = self.tell_others(nexus, Attention::ReservationsReleased);
        }
        self.held = Some(Held::by(nexus, kind));
        gone
    }

    /// Registrations go, also the own one where it has that key.
    fn remove_registrations(&mut self, victim: u64) -> Vec<N> {
        let gone = self.remove_where(|_, key| key == victim);
        if self.registrants.is_empty() {
            self.held = None;
        }
        gone
    }

    fn remove_where(&mut self, goes: impl Fn(&N, u64) -> bool) -> Vec<N> {
        let leaving = self.registrants.iter().filter(|(nexus, key)| goes(nexus, **key));
        let gone: Vec<N> = leaving.map(|(nexus, _)| nexus.clone()).collect();
        for nexus in &gone {
            self.registrants.remove(nexus);
        }
        gone
    }
}

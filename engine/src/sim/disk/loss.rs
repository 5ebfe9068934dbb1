//! The two ways in which a disk loses something: its power, or a host that used it.
//!
//! A host that crashes leaves the disk's cache alone (an array stays on); its requests in flight
//! may have reached the disk, in parts, or not at all. A power loss ends every channel and leaves
//! of what was not durable whatever chance keeps.

use super::super::PPM;
use super::ranges::Piece;
use super::state::{Event, Request, State};
use crate::block::Op;
use crate::error::ErrorKind;

/// How often a request of a crashed host had not left it yet.
const NEVER_ARRIVED_PPM: u32 = PPM / 2;
/// How often an orphaned write had arrived in parts.
const CUT_SHORT_PPM: u32 = PPM / 3;

impl State {
    /// The power goes: what is not durable is kept or lost by atomic units, every request in
    /// flight fails, every channel is dead.
    pub(super) fn power_off(&mut self) {
        self.is_powered = false;
        self.power_cycle += 1;
        self.stats.power_losses += 1;
        self.events.clear();
        let mut in_flight: Vec<Request> =
            std::mem::take(&mut self.requests).into_values().collect();
        // Writes that were in flight together are not ordered among each other.
        self.rng.shuffle(&mut in_flight);
        let units = in_flight.iter().flat_map(|request| self.units_at_risk(request)).collect();
        self.medium.lose_power(units, &mut self.rng);
        self.trace.note(self.now, "power-loss", self.number, [in_flight.len() as u64, 0]);
        in_flight.sort_by_key(|request| (request.port, request.io.tag));
        in_flight.into_iter().for_each(|request| self.fail_unpowered(request));
    }

    /// What a request in flight may leave behind, in parts that live or die together.
    fn units_at_risk(&self, request: &Request) -> Vec<Vec<Piece>> {
        if request.io.op != Op::CompareAndWrite {
            let units = self.medium.units(&request.rest);
            return units.into_iter().map(|unit| vec![unit]).collect();
        }
        let is_equal = self.difference(&request.io).is_none();
        if is_equal { vec![request.rest.clone()] } else { Vec::new() }
    }

    fn fail_unpowered(&mut self, request: Request) {
        let kind = if request.io.op.changes_medium() {
            ErrorKind::Aborted { maybe_written: true }
        } else {
            ErrorKind::PathLost
        };
        let error = self.error(&request.io, kind, "lost its power");
        self.give(request.port, request.io.failed_with(error));
    }

    pub(super) fn power_on(&mut self) {
        self.is_powered = true;
    }

    /// A channel is gone with its host: what it had in flight never arrived, or arrives in parts,
    /// or goes on as if nothing had happened.
    pub(super) fn close_port(&mut self, number: u64) {
        self.ports.remove(&number);
        let of_port = |(id, r): (&u64, &Request)| (r.port == Some(number)).then_some(*id);
        let ids: Vec<u64> = self.requests.iter().filter_map(of_port).collect();
        for id in ids {
            let is_lost = self.rng.chance(NEVER_ARRIVED_PPM);
            let is_cut = self.rng.chance(CUT_SHORT_PPM);
            let Some(mut request) = self.requests.remove(&id) else { continue };
            if is_lost || !request.io.op.changes_medium() {
                continue;
            }
            request.port = None;
            if is_cut && request.io.op != Op::CompareAndWrite {
                request.rest = self.some_units(&request.rest);
            }
            self.requests.insert(id, request);
        }
        self.trace.note(self.now, "detach", self.number, [number, 0]);
    }

    fn some_units(&mut self, rest: &[Piece]) -> Vec<Piece> {
        let units = self.medium.units(rest);
        units.into_iter().filter(|_| self.rng.chance(PPM / 2)).collect()
    }

    /// What crashed hosts left in flight reaches the medium now or never.
    pub(super) fn settle_orphans(&mut self) {
        let orphans: Vec<u64> =
            self.requests.iter().filter(|(_, r)| r.port.is_none()).map(|(id, _)| *id).collect();
        for id in orphans {
            let arrives = self.rng.chance(PPM / 2);
            match self.requests.remove(&id) {
                Some(request) if arrives => self.finish(request),
                _ => {}
            }
        }
        let Self { events, requests, .. } = self;
        events.retain(|_, event| match event {
            Event::Midway(id) | Event::Complete(id) => requests.contains_key(id),
            Event::Settle(_) => true,
        });
    }
}

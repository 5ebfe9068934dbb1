//! Reservations of both kinds as commands: PERSISTENT RESERVE IN and OUT, RESERVE and RELEASE (SPC-4
//! sections 5.13, 6.15 and 6.16).

use alloc::vec::Vec;

use super::{Action, LogicalUnit, NexusId, ScsiReply, illegal, invalid_cdb, parameter_list};
use crate::reservation::{
    Attention, Effect, Kind, Refusal, Request, Reservations, Saved, SavedError,
};
use crate::scsi::cdb::{ReserveIn, ReserveInAction, ReserveOut, ReserveOutAction};
use crate::scsi::data::{Capabilities, FullStatus, Keys, MoveList, ReservationData, ReserveList};
use crate::scsi::{Sense, SenseCode, Status};

/// Where the bits of the parameter lists lie, for the field pointer.
const FLAGS_BYTE: u16 = 20;

impl LogicalUnit {
    /// Takes over reservations that were stored before a power loss.
    ///
    /// # Errors
    /// [`SavedError`], after which nothing has changed. Then nobody is fenced: whoever opens the
    /// logical unit has to decide whether that is safe.
    pub fn restore_reservations(&mut self, bytes: &[u8]) -> Result<(), SavedError> {
        let saved = Saved::decode(bytes)?;
        self.reservations = Reservations::import(&saved, NexusId::decode)?;
        Ok(())
    }

    pub(super) fn reserve_in(&self, reserve: ReserveIn) -> ScsiReply {
        let generation = self.reservations.generation();
        let bytes = match reserve.action {
            ReserveInAction::ReadKeys => {
                let keys = self.reservations.registrants().map(|(_, key)| key).collect();
                Keys { generation, keys }.build()
            }
            ReserveInAction::ReadReservation => {
                let held = self.reservations.holder_key().zip(self.reservations.kind());
                ReservationData { generation, held }.build()
            }
            ReserveInAction::ReportCapabilities => Vec::from(self.capabilities().build()),
            ReserveInAction::ReadFullStatus => {
                FullStatus::build_list(generation, &self.full_status())
            }
        };
        ScsiReply::data(bytes, reserve.allocation.into())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            compatible: false,
            register_others: true,
            all_ports: false,
            can_keep: self.config.keeps_reservations,
            does_keep: self.reservations.is_kept_over_power_loss(),
            kinds: Capabilities::ALL_KINDS,
        }
    }

    fn full_status(&self) -> Vec<FullStatus> {
        let kind = self.reservations.kind();
        let status = |(nexus, key): (&NexusId, u64)| FullStatus {
            key,
            holds: kind.filter(|_| self.reservations.is_holder(nexus)),
            port: nexus.port,
            initiator: nexus.initiator.clone(),
        };
        self.reservations.registrants().map(status).collect()
    }

    pub(super) fn reserve_out(
        &mut self,
        nexus: &NexusId,
        reserve: ReserveOut,
        list: &[u8],
    ) -> Result<Action, ScsiReply> {
        if self.reserved_by.is_some() {
            return Err(ScsiReply::status(Status::ReservationConflict));
        }
        let list = parameter_list(list, reserve.list_len as usize)?;
        let request = match reserve.action {
            ReserveOutAction::RegisterMove => self.move_request(list)?,
            _ => self.basic_request(nexus, reserve, list)?,
        };
        let was_kept = self.reservations.is_kept_over_power_loss();
        let effect = self.reservations.apply(nexus, request).map_err(refuse)?;
        let is_kept = self.reservations.is_kept_over_power_loss();
        let is_stored = effect.is_changed && (was_kept || is_kept);
        Ok(self.take_effect(effect, is_stored))
    }

    fn take_effect(&mut self, effect: Effect<NexusId>, is_stored: bool) -> Action {
        for (nexus, attention) in &effect.attentions {
            self.attentions.push(nexus, attention_code(*attention));
        }
        let save = is_stored.then(|| self.reservations.export(NexusId::encode).encode());
        let reply = ScsiReply::good();
        if effect.victims.is_empty() && save.is_none() {
            return Action::Done(reply);
        }
        Action::Drain { victims: effect.victims, save, reply }
    }

    fn basic_request(
        &self,
        nexus: &NexusId,
        reserve: ReserveOut,
        list: &[u8],
    ) -> Result<Request<NexusId>, ScsiReply> {
        let list = ReserveList::parse(list).map_err(ScsiReply::check)?;
        self.expect_flags(&list, reserve.action)?;
        let (key, action_key) = (list.key, list.action_key);
        let at_port = |initiator| NexusId { initiator, port: nexus.port };
        Ok(match reserve.action {
            ReserveOutAction::Register => {
                let also = list.also.unwrap_or_default().into_iter().map(at_port).collect();
                Request::Register { key, new_key: action_key, keep: list.keep, also }
            }
            ReserveOutAction::RegisterIgnore => {
                Request::RegisterIgnore { new_key: action_key, keep: list.keep }
            }
            ReserveOutAction::Reserve => Request::Reserve { key, kind: kind(reserve)? },
            ReserveOutAction::Release => Request::Release { key, kind: kind(reserve)? },
            ReserveOutAction::Clear => Request::Clear { key },
            ReserveOutAction::Preempt | ReserveOutAction::PreemptAndAbort => {
                let abort = reserve.action == ReserveOutAction::PreemptAndAbort;
                Request::Preempt { key, victim: action_key, kind: kind(reserve)?, abort }
            }
            ReserveOutAction::RegisterMove => return Err(invalid_cdb(1)),
        })
    }

    /// Bits that ask for what is not there are errors; actions that register nobody ignore APTPL and
    /// ALL_TG_PT.
    fn expect_flags(&self, list: &ReserveList, action: ReserveOutAction) -> Result<(), ScsiReply> {
        let is_ignoring = action == ReserveOutAction::RegisterIgnore;
        let is_registering = action == ReserveOutAction::Register || is_ignoring;
        let is_unkept = list.keep && !self.config.keeps_reservations;
        let is_misplaced = list.also.is_some() && action != ReserveOutAction::Register;
        if is_misplaced || (is_registering && (is_unkept || list.all_ports)) {
            return Err(ScsiReply::check(Sense::invalid_parameter(FLAGS_BYTE)));
        }
        Ok(())
    }

    fn move_request(&self, list: &[u8]) -> Result<Request<NexusId>, ScsiReply> {
        let list = MoveList::parse(list).map_err(ScsiReply::check)?;
        if list.keep && !self.config.keeps_reservations {
            return Err(ScsiReply::check(Sense::invalid_parameter(17)));
        }
        if self.group_of(list.port).is_none() {
            return Err(ScsiReply::check(Sense::invalid_parameter(18)));
        }
        Ok(Request::Move {
            key: list.key,
            new_key: list.new_key,
            to: NexusId { initiator: list.to, port: list.port },
            unregister: list.unregister,
            keep: list.keep,
        })
    }

    /// Both kinds of reservation exclude each other (SPC-4 section 5.13.3 with CRH = 0).
    fn is_persistent(&self) -> bool {
        self.reservations.registrants().next().is_some()
    }

    pub(super) fn reserve_6(&mut self, nexus: &NexusId) -> ScsiReply {
        if self.is_persistent() {
            return ScsiReply::status(Status::ReservationConflict);
        }
        self.reserved_by = Some(nexus.clone());
        ScsiReply::good()
    }

    pub(super) fn release_6(&mut self, nexus: &NexusId) -> ScsiReply {
        if self.is_persistent() {
            return ScsiReply::status(Status::ReservationConflict);
        }
        if self.reserved_by.as_ref() == Some(nexus) {
            self.reserved_by = None;
        }
        ScsiReply::good()
    }
}

/// Scope and type of an action that makes or takes a reservation: only the logical unit as a whole.
fn kind(reserve: ReserveOut) -> Result<Kind, ScsiReply> {
    Kind::from_type(reserve.kind).filter(|_| reserve.scope == 0).ok_or_else(|| invalid_cdb(2))
}

fn refuse(refusal: Refusal) -> ScsiReply {
    match refusal {
        Refusal::Conflict => ScsiReply::status(Status::ReservationConflict),
        Refusal::InvalidRelease => illegal(SenseCode::INVALID_RELEASE_OF_RESERVATION),
        Refusal::InvalidParameter => illegal(SenseCode::INVALID_FIELD_IN_PARAMETER_LIST),
        Refusal::NoRoom => illegal(SenseCode::INSUFFICIENT_REGISTRATION_RESOURCES),
    }
}

fn attention_code(attention: Attention) -> SenseCode {
    match attention {
        Attention::ReservationsPreempted => SenseCode::RESERVATIONS_PREEMPTED,
        Attention::ReservationsReleased => SenseCode::RESERVATIONS_RELEASED,
        Attention::RegistrationsPreempted => SenseCode::REGISTRATIONS_PREEMPTED,
    }
}

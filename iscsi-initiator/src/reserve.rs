//! Persistent reservations (SPC-4 sections 5.13, 6.15 and 6.16).
//!
//! A registration belongs to one session's port, so registering goes to every path. No change is
//! ever sent twice: where its answer was lost, the caller reads the keys and decides.

use std::rc::Rc;

use byway_engine::ErrorKind;
use byway_engine::block::{
    Outcome, Payload, Registration, ReservationIn, ReservationOut, ReservationReport,
    ReservationType,
};
use byway_proto::reservation::Kind;
use byway_proto::scsi::cdb::{ReserveIn, ReserveInAction, ReserveOut, ReserveOutAction};
use byway_proto::scsi::data::{FullStatus, InitiatorPort, Keys, ReservationData, ReserveList};
use byway_proto::scsi::{Command, SenseKey, Status};

use crate::cold::{Ask, Trouble, ask};
use crate::control::{Control, End};
use crate::dispatch::Dispatcher;
use crate::link::Link;
use crate::request::Request;

/// Bytes of an answer: a full status of some two hundred registrants.
const REPORT_LEN: u16 = 32 << 10;
/// Unit attentions before a change is taken.
const ATTENTIONS_MAX: u32 = 16;

/// The same types under the names of SPC-4 and of the waist.
const KINDS: [(ReservationType, Kind); 6] = [
    (ReservationType::WriteExclusive, Kind::WriteExclusive),
    (ReservationType::ExclusiveAccess, Kind::ExclusiveAccess),
    (ReservationType::WriteExclusiveRegistrants, Kind::WriteExclusiveRegistrantsOnly),
    (ReservationType::ExclusiveAccessRegistrants, Kind::ExclusiveAccessRegistrantsOnly),
    (ReservationType::WriteExclusiveAll, Kind::WriteExclusiveAllRegistrants),
    (ReservationType::ExclusiveAccessAll, Kind::ExclusiveAccessAllRegistrants),
];

fn kind_of(kind: ReservationType) -> Kind {
    KINDS.into_iter().find(|(own, _)| *own == kind).expect("the table names all types").1
}

fn type_of(kind: Kind) -> ReservationType {
    KINDS.into_iter().find(|(_, theirs)| *theirs == kind).expect("the table names all types").0
}

/// Command block and parameter list of a change.
fn build(change: &ReservationOut) -> (ReserveOut, ReserveList) {
    use ReserveOutAction as Do;
    let (action, key, action_key, kind, keep) = match *change {
        ReservationOut::Register { old, new, ignore_existing, persist } => {
            let action = if ignore_existing { Do::RegisterIgnore } else { Do::Register };
            (action, old, new, None, persist)
        }
        ReservationOut::Reserve { key, kind } => (Do::Reserve, key, 0, Some(kind), false),
        ReservationOut::Release { key, kind } => (Do::Release, key, 0, Some(kind), false),
        ReservationOut::Clear { key } => (Do::Clear, key, 0, None, false),
        ReservationOut::Preempt { key, victim, kind, abort } => {
            let action = if abort { Do::PreemptAndAbort } else { Do::Preempt };
            (action, key, victim, Some(kind), false)
        }
    };
    let kind = kind.map_or(0, |kind| kind_of(kind).to_type());
    let list = ReserveList { key, action_key, all_ports: false, keep, also: None };
    (ReserveOut { action, scope: 0, kind, list_len: 24 }, list)
}

/// Makes a change: a registration on every path that is up, anything else on one of them.
pub(crate) async fn change(own: &Rc<Dispatcher>, request: &Request) -> Result<Outcome, Trouble> {
    let Payload::ReservationOut(change) = &request.io.payload else {
        return Err((ErrorKind::Range, "a change of reservations carries its words".into()));
    };
    let mut links = own.links();
    if !matches!(**change, ReservationOut::Register { .. }) {
        links.truncate(1);
    }
    if links.is_empty() {
        return Err((ErrorKind::PathLost, "no path to the target is up".into()));
    }
    for (_, link) in links {
        send(own, &link, change).await?;
    }
    Ok(Outcome::Done)
}

async fn send(own: &Rc<Dispatcher>, link: &Link, change: &ReservationOut) -> Result<(), Trouble> {
    let (command, list) = build(change);
    let (lun, cdb) = (own.shared.config.lun, Command::ReserveOut(command).build());
    for _ in 0..ATTENTIONS_MAX {
        let control = Control::write(lun, cdb, list.build());
        match link.execute(&control).await {
            End::Good(_) => return Ok(()),
            End::NotSent => return Err((ErrorKind::PathLost, "the path went down".into())),
            End::Unknown => {
                let words = "its answer is lost: read the keys to learn what holds";
                return Err((ErrorKind::Aborted { maybe_written: true }, words.into()));
            }
            End::Status(Status::ReservationConflict, _) => {
                let words = "the key does not fit what is registered";
                return Err((ErrorKind::Fenced, words.into()));
            }
            // Before the command: it was not executed.
            End::Status(_, Some(sense)) if sense.key == SenseKey::UnitAttention => {
                own.hear(crate::attention::judge(&sense, false).1);
            }
            End::Status(_, Some(sense)) => {
                let kind = match crate::attention::judge(&sense, true).0 {
                    crate::attention::Duty::Fail(kind) => kind,
                    _ => ErrorKind::Transient,
                };
                return Err((kind, format!("the target says {sense}")));
            }
            End::Status(status, None) => {
                return Err((ErrorKind::Transient, format!("the target says {status:?}")));
            }
        }
    }
    Err((ErrorKind::Transient, "the target has one unit attention after the other".into()))
}

/// Answers a question.
pub(crate) async fn report(own: &Rc<Dispatcher>, request: &Request) -> Result<Outcome, Trouble> {
    let question = match &request.io.payload {
        Payload::ReservationIn(question) => *question,
        _ => return Err((ErrorKind::Range, "a question about reservations carries it".into())),
    };
    let action = match question {
        ReservationIn::ReadKeys => ReserveInAction::ReadKeys,
        ReservationIn::ReadReservation => ReserveInAction::ReadReservation,
        ReservationIn::ReadFullStatus => ReserveInAction::ReadFullStatus,
    };
    let cdb = Command::ReserveIn(ReserveIn { action, allocation: REPORT_LEN }).build();
    let (room, give_up_ns) = (usize::from(REPORT_LEN), request.give_up_ns);
    let bytes = ask(own, &Ask { cdb, out: &[], room, changes: false, give_up_ns }).await?;
    let report = match question {
        ReservationIn::ReadKeys => keys(&bytes),
        ReservationIn::ReadReservation => reservation(&bytes),
        ReservationIn::ReadFullStatus => full(&bytes),
    };
    let report = report.ok_or((ErrorKind::Media, "its answer makes no sense".to_owned()))?;
    Ok(Outcome::Reservations(Box::new(report)))
}

fn nameless(key: u64, holder: bool) -> Registration {
    Registration { key, initiator: String::new(), holder }
}

fn keys(bytes: &[u8]) -> Option<ReservationReport> {
    let (found, _) = Keys::parse(bytes)?;
    let registrations = found.keys.iter().map(|key| nameless(*key, false)).collect();
    Some(ReservationReport { generation: found.generation, registrations, held: None })
}

fn reservation(bytes: &[u8]) -> Option<ReservationReport> {
    let found = ReservationData::parse(bytes)?;
    let registrations = found.held.iter().map(|(key, _)| nameless(*key, true)).collect();
    let held = found.held.map(|(_, kind)| type_of(kind));
    Some(ReservationReport { generation: found.generation, registrations, held })
}

/// An initiator port as people write it: name and ISID.
fn port_name(port: &InitiatorPort) -> String {
    let isid: String = port.isid.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{},i,0x{isid}", port.name)
}

fn full(bytes: &[u8]) -> Option<ReservationReport> {
    let (generation, found) = FullStatus::parse_list(bytes)?;
    let held = found.iter().find_map(|status| status.holds).map(type_of);
    let registration = |status: FullStatus| Registration {
        key: status.key,
        initiator: port_name(&status.initiator),
        holder: status.holds.is_some(),
    };
    let registrations = found.into_iter().map(registration).collect();
    Some(ReservationReport { generation, registrations, held })
}

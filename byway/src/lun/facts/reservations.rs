//! Who is registered, and who holds the reservation (SPC-4 section 6.15).

use byway_proto::reservation::Kind;
use byway_proto::scsi::Command;
use byway_proto::scsi::cdb::{ReserveIn, ReserveInAction};
use byway_proto::scsi::data::{Capabilities, FullStatus, Keys, ReservationData};
use serde::Serialize;

use super::Unit;

/// Bytes asked for of a list.
const LIST_LEN: u16 = 32 << 10;

/// Persistent reservations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reservations {
    /// PRgeneration, counted up with each change of registrations.
    pub generation: u32,
    /// Who is registered. Names are there where the target has READ FULL STATUS.
    pub registrants: Vec<Registrant>,
    /// The key of the holder; nothing where nobody or every registrant holds a reservation.
    pub holder: Option<String>,
    /// The kind of the reservation, in words.
    pub kind: Option<String>,
    /// Registrations can be kept over a power loss of the target.
    pub can_keep: Option<bool>,
}

/// One registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Registrant {
    /// Its key, in hex.
    pub key: String,
    /// The initiator's name and ISID.
    pub initiator: Option<String>,
}

pub(super) async fn ask(unit: &Unit<'_>) -> Option<Reservations> {
    let keys = read(unit, ReserveInAction::ReadKeys).await?;
    let (keys, _) = Keys::parse(&keys)?;
    let held = read(unit, ReserveInAction::ReadReservation).await;
    let held = held.and_then(|bytes| ReservationData::parse(&bytes)).and_then(|data| data.held);
    let full = read(unit, ReserveInAction::ReadFullStatus).await;
    let full = full.and_then(|bytes| FullStatus::parse_list(&bytes)).map(|(_, list)| list);
    let able = read(unit, ReserveInAction::ReportCapabilities).await;
    let able = able.and_then(|bytes| Capabilities::parse(&bytes));
    let named = full.filter(|full| full.len() == keys.keys.len());
    Some(Reservations {
        generation: keys.generation,
        registrants: match named {
            Some(full) => full.iter().map(named_registrant).collect(),
            None => {
                keys.keys.iter().map(|key| Registrant { key: hex(*key), initiator: None }).collect()
            }
        },
        holder: held.filter(|(_, kind)| !kind.is_all_registrants()).map(|(key, _)| hex(key)),
        kind: held.map(|(_, kind)| words(kind).to_owned()),
        can_keep: able.map(|able| able.can_keep),
    })
}

async fn read(unit: &Unit<'_>, action: ReserveInAction) -> Option<Vec<u8>> {
    let read = ReserveIn { action, allocation: LIST_LEN };
    unit.ask(Command::ReserveIn(read), LIST_LEN.into()).await.ok()
}

fn named_registrant(status: &FullStatus) -> Registrant {
    let isid: String = status.initiator.isid.iter().map(|byte| format!("{byte:02x}")).collect();
    let initiator = Some(format!("{},i,0x{isid}", status.initiator.name));
    Registrant { key: hex(status.key), initiator }
}

fn hex(key: u64) -> String {
    format!("{key:#018x}")
}

fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::WriteExclusive => "write exclusive (1)",
        Kind::ExclusiveAccess => "exclusive access (3)",
        Kind::WriteExclusiveRegistrantsOnly => "write exclusive, registrants only (5)",
        Kind::ExclusiveAccessRegistrantsOnly => "exclusive access, registrants only (6)",
        Kind::WriteExclusiveAllRegistrants => "write exclusive, all registrants (7)",
        Kind::ExclusiveAccessAllRegistrants => "exclusive access, all registrants (8)",
    }
}

//! What a logical unit says of itself: identity, size, limits, abilities, ALUA, reservations.
//!
//! A question that a target does not understand leaves its part empty; only a unit that answers
//! nothing at all is an error. Sources: SPC-4 sections 6.4, 6.6, 6.15, 6.35, 6.37 and 7.8, SBC-3
//! sections 5.15, 5.16 and 6.6.

mod abilities;
mod identity;
mod reservations;
mod size;

use byway_iscsi_initiator::{RawData, RawEnd, RawSession};
use byway_proto::scsi::cdb::Inquiry;
use byway_proto::scsi::{Cdb, Command, Lun};
use serde::Serialize;

pub use abilities::{Abilities, Alua};
pub use identity::Identity;
pub use reservations::{Registrant, Reservations};
pub use size::{Limits, Size, size};

use super::ask::ask;

/// Everything that is asked.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// Who it is.
    pub identity: Identity,
    /// How large it is; nothing for what is no disk.
    pub size: Option<Size>,
    /// What single commands may ask for.
    pub limits: Limits,
    /// What it can do.
    pub abilities: Abilities,
    /// The states of its port groups; nothing without ALUA.
    pub alua: Option<Vec<Alua>>,
    /// Who is registered; nothing without persistent reservations.
    pub reservations: Option<Reservations>,
}

/// Asks everything.
///
/// # Errors
/// Where the unit does not answer INQUIRY; in words.
pub async fn gather(session: &RawSession, lun: Lun) -> Result<Facts, String> {
    let unit = Unit { session, lun };
    let (identity, has_alua) = identity::ask(&unit).await?;
    let size = size::size(session, lun).await.ok();
    Ok(Facts {
        identity,
        limits: size::limits(&unit).await,
        abilities: abilities::ask(&unit, size.as_ref()).await,
        size,
        alua: if has_alua { abilities::alua(&unit).await } else { None },
        reservations: reservations::ask(&unit).await,
    })
}

/// The identity alone.
///
/// # Errors
/// As [`gather`].
pub async fn identity(session: &RawSession, lun: Lun) -> Result<Identity, String> {
    identity::ask(&Unit { session, lun }).await.map(|(identity, _)| identity)
}

/// Whom questions go to.
struct Unit<'a> {
    session: &'a RawSession,
    lun: Lun,
}

impl Unit<'_> {
    /// The answer, of at most `len` bytes; why there is none in words.
    async fn ask(&self, command: Command, len: usize) -> Result<Vec<u8>, String> {
        let cdb: Cdb = command.build();
        match ask(self.session, self.lun, cdb, RawData::In(len)).await {
            RawEnd::Good(bytes) => Ok(bytes),
            RawEnd::Status(_, Some(sense)) => Err(format!("the unit says {sense}")),
            RawEnd::Status(status, None) => Err(format!("the unit says {status}")),
            RawEnd::Unknown | RawEnd::NotSent => Err("the unit does not answer".into()),
        }
    }

    /// INQUIRY data, or a page of vital product data.
    async fn inquire(&self, page: Option<u8>) -> Result<Vec<u8>, String> {
        const PAGE_LEN: u16 = 252;
        let inquiry = Inquiry { page, allocation: PAGE_LEN };
        self.ask(Command::Inquiry(inquiry), PAGE_LEN.into()).await
    }
}

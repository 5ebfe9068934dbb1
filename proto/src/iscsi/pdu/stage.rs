//! Login stages and the flags byte that both login PDUs share (RFC 7143 sections 11.12.1 to 11.12.3).

use super::{Field, Opcode, PduError, bit};

const TRANSIT: u8 = 0x80;
const CONTINUE: u8 = 0x40;

/// A stage of the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Stage {
    /// SecurityNegotiation.
    Security = 0,
    /// LoginOperationalNegotiation.
    Operational = 1,
    /// FullFeaturePhase; only as the next stage.
    FullFeature = 3,
}

impl Stage {
    fn from_code(code: u8) -> Option<Stage> {
        match code {
            0 => Some(Stage::Security),
            1 => Some(Stage::Operational),
            3 => Some(Stage::FullFeature),
            _ => None,
        }
    }
}

/// T, C, CSG and NSG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoginFlags {
    /// CSG: the stage this PDU belongs to.
    pub current: Stage,
    /// NSG where the T bit is set: the sender is ready to go there.
    pub next: Option<Stage>,
    /// The C bit: the keys go on in the next PDU.
    pub is_continued: bool,
}

impl LoginFlags {
    /// # Panics
    /// With a transit that [`LoginFlags::decode`] refuses.
    pub(super) fn encode(self) -> u8 {
        assert!(self.current != Stage::FullFeature, "a login has not reached full-feature phase");
        assert!(self.next.is_none_or(|next| next > self.current), "a login goes forward");
        assert!(self.next.is_none() || !self.is_continued, "no transit in the middle of keys");
        let next = self.next.map_or(0, |next| TRANSIT | next as u8);
        next | bit(self.is_continued, CONTINUE) | (self.current as u8) << 2
    }

    /// A transit goes forward, not from full-feature phase, and not in the middle of keys.
    pub(super) fn decode(pdu: Opcode, byte: u8) -> Result<LoginFlags, PduError> {
        let wrong = |field| PduError::new(pdu, field, byte);
        let is_continued = byte & CONTINUE != 0;
        let current = Stage::from_code(byte >> 2 & 3)
            .filter(|stage| *stage != Stage::FullFeature)
            .ok_or(wrong(Field::Stage))?;
        if byte & TRANSIT == 0 {
            return Ok(LoginFlags { current, next: None, is_continued });
        }
        if is_continued {
            return Err(wrong(Field::Continue));
        }
        let next = Stage::from_code(byte & 3).filter(|next| *next > current);
        let next = Some(next.ok_or(wrong(Field::Stage))?);
        Ok(LoginFlags { current, next, is_continued })
    }
}

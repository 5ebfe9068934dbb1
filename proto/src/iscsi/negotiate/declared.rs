//! Keys that one side declares and nobody answers: names, aliases, the portal group, the session's
//! type, and how long a segment may be.

use alloc::string::{String, ToString};

use super::key::RECV_LENGTHS;
use super::{Key, SessionParams, SessionType, number};
use crate::iscsi::text::IscsiName;

/// What is known by declaration, from either side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Declared {
    pub(super) session_type: SessionType,
    pub(super) initiator_name: Option<IscsiName>,
    pub(super) initiator_alias: Option<String>,
    pub(super) target_name: Option<IscsiName>,
    pub(super) target_alias: Option<String>,
    pub(super) target_address: Option<String>,
    pub(super) target_portal_group_tag: Option<u16>,
    pub(super) peer_recv_len: Option<u32>,
}

impl Declared {
    /// What may be declared again in full-feature phase.
    pub(super) fn of(params: &SessionParams) -> Declared {
        Declared {
            initiator_alias: params.initiator_alias.clone(),
            target_alias: params.target_alias.clone(),
            peer_recv_len: Some(params.max_send_data_segment_len),
            ..Declared::default()
        }
    }

    /// Takes a declaration of the peer; false where the value is illegal.
    pub(super) fn take(&mut self, key: Key, value: &str) -> bool {
        self.set(key, value).is_some()
    }

    fn set(&mut self, key: Key, value: &str) -> Option<()> {
        match key {
            Key::InitiatorName => self.initiator_name = Some(IscsiName::new(value).ok()?),
            Key::TargetName => self.target_name = Some(IscsiName::new(value).ok()?),
            Key::InitiatorAlias => self.initiator_alias = Some(value.to_string()),
            Key::TargetAlias => self.target_alias = Some(value.to_string()),
            Key::TargetAddress => self.target_address = Some(value.to_string()),
            Key::TargetPortalGroupTag => {
                let tag = number::parse(value, 0, u16::MAX.into())?;
                self.target_portal_group_tag = Some(tag as u16);
            }
            Key::MaxRecvDataSegmentLength => {
                let (low, high) = (*RECV_LENGTHS.start(), *RECV_LENGTHS.end());
                self.peer_recv_len = Some(number::parse(value, low, high)?);
            }
            Key::SessionType => self.session_type = session_type(value)?,
            _ => return None,
        }
        Some(())
    }
}

fn session_type(value: &str) -> Option<SessionType> {
    match value {
        "Normal" => Some(SessionType::Normal),
        "Discovery" => Some(SessionType::Discovery),
        _ => None,
    }
}

pub(super) fn session_type_name(session_type: SessionType) -> &'static str {
    match session_type {
        SessionType::Normal => "Normal",
        SessionType::Discovery => "Discovery",
    }
}

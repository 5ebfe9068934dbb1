//! What a target brings to a login, and what it takes away.

use alloc::string::String;

use crate::iscsi::chap::Challenge;
use crate::iscsi::login::LOGIN_PART_LEN_MAX;
use crate::iscsi::negotiate::{Operational, SessionParams};
use crate::iscsi::pdu::Isid;
use crate::iscsi::text::IscsiName;
use crate::serial::Serial;

/// How slowly a target talks. The default is as fast as it can; tests hold initiators up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pace {
    /// Bytes of text in one PDU, at most `LOGIN_PART_LEN_MAX`.
    pub part_len: u32,
    /// Requests to leave a stage that are answered with T=0 before one is granted.
    pub held_rounds: u32,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { part_len: LOGIN_PART_LEN_MAX, held_rounds: 0 }
    }
}

/// One login, as the target sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetLoginConfig {
    /// The operational keys.
    pub operational: Operational,
    /// The first StatSN of the connection.
    pub stat_sn: Serial,
    /// Commands that the initiator may send at once.
    pub window: u32,
    /// For CHAP: drawn for this login alone.
    pub challenge: Challenge,
    /// How slowly it talks.
    pub pace: Pace,
}

/// Who wants to log in to what. Before the last response goes out the shell looks for a session of
/// this initiator name, ISID and portal group, and tears it down (RFC 7143 section 6.3.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Applicant {
    /// InitiatorName.
    pub initiator_name: IscsiName,
    /// InitiatorAlias.
    pub initiator_alias: Option<String>,
    /// The target; nothing for discovery.
    pub target_name: Option<IscsiName>,
    /// The portal group of the portal.
    pub portal_group: u16,
    /// The initiator's part of the session identifier.
    pub isid: Isid,
    /// 0 for a new or reinstated session; otherwise the session that the connection wants to join.
    pub tsih: u16,
    /// The connection in its session.
    pub cid: u16,
}

/// Where full-feature phase begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetLoginOutcome {
    /// Who is there.
    pub applicant: Applicant,
    /// The target's part of the session identifier, not 0.
    pub tsih: u16,
    /// What was agreed.
    pub params: SessionParams,
    /// The CmdSN of the first command.
    pub exp_cmd_sn: Serial,
    /// Last command that the initiator may send, as the last response told.
    pub max_cmd_sn: Serial,
    /// The StatSN of the next response.
    pub stat_sn: Serial,
}

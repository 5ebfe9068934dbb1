//! What an initiator brings to a login, and what it takes away.

use alloc::vec::Vec;

use crate::iscsi::chap::{Algorithm, Challenge, Credentials, Peer};
use crate::iscsi::negotiate::{Offer, Refusal, SessionParams};
use crate::iscsi::pdu::{Isid, Itt};
use crate::serial::Serial;

/// How the two sides prove who they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    /// Not at all.
    None,
    /// By CHAP.
    Chap {
        /// What this initiator proves itself with.
        own: Credentials,
        /// With mutual CHAP: what the target must prove, and this side's challenge.
        peer: Option<(Peer, Challenge)>,
        /// Offered in this order.
        algorithms: Vec<Algorithm>,
    },
}

impl Proof {
    /// AuthMethod. Who demands no proof of the target goes without where the target wants none.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Proof::None => "None",
            Proof::Chap { peer: None, .. } => "CHAP,None",
            Proof::Chap { peer: Some(_), .. } => "CHAP",
        }
    }
}

/// One login.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoginConfig {
    /// Who we are, where we log in, and the operational keys.
    pub offer: Offer,
    /// The portal group that the portal is known to belong to, to be compared.
    pub portal_group: Option<u16>,
    /// Stable for a host and a path: the initiator port that reservations belong to.
    pub isid: Isid,
    /// 0 begins a session, or reinstates the one with this name, ISID and portal group.
    pub tsih: u16,
    /// The connection in its session.
    pub cid: u16,
    /// Who proves what.
    pub proof: Proof,
    /// The tag of the whole login.
    pub itt: Itt,
    /// The first CmdSN of the session.
    pub cmd_sn: Serial,
}

/// Where full-feature phase begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoginOutcome {
    /// What was agreed.
    pub params: SessionParams,
    /// What we wanted and did not get.
    pub refused: Vec<Refusal>,
    /// The target's part of the session identifier, not 0.
    pub tsih: u16,
    /// The CmdSN of the first command.
    pub cmd_sn: Serial,
    /// The next StatSN of this connection.
    pub exp_stat_sn: Serial,
    /// As the last response had it.
    pub exp_cmd_sn: Serial,
    /// Last command that may be sent.
    pub max_cmd_sn: Serial,
}

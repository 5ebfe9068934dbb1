//! What each side wants: [`Offer`] is the initiator's, [`Limits`] the target's.

use alloc::string::String;

use super::key::RECV_LENGTHS;
use super::{DigestPolicy, Key, SessionType, TaskReporting};
use crate::iscsi::text::IscsiName;

/// Wishes for the keys that both sides have. Lengths are in bytes, times in seconds; what a key
/// cannot say is brought to the nearest value it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operational {
    /// CRC32C over headers.
    pub header_digest: DigestPolicy,
    /// CRC32C over data.
    pub data_digest: DigestPolicy,
    /// 1 to 65535.
    pub max_connections: u16,
    /// The session has it where one side wants it.
    pub initial_r2t: bool,
    /// The session has it where both sides want it.
    pub immediate_data: bool,
    /// What this side takes: 512 to 2^24 - 1.
    pub max_recv_data_segment_len: u32,
    /// 512 to 2^24 - 1.
    pub max_burst_len: u32,
    /// 512 to `max_burst_len`.
    pub first_burst_len: u32,
    /// 1 to 65535.
    pub max_outstanding_r2t: u16,
    /// 0 to 3600; the larger wish wins.
    pub default_time2wait: u16,
    /// 0 to 3600.
    pub default_time2retain: u16,
    /// The session has it where one side wants it.
    pub data_pdu_in_order: bool,
    /// The session has it where one side wants it.
    pub data_sequence_in_order: bool,
    /// 0 to 2.
    pub error_recovery_level: u8,
    /// The best way that this side can do.
    pub task_reporting: TaskReporting,
    /// 0 to 31.
    pub protocol_level: u8,
}

impl Default for Operational {
    /// Writes in one round trip, long bursts, order, no recovery within a session.
    fn default() -> Operational {
        Operational {
            header_digest: DigestPolicy::Allow,
            data_digest: DigestPolicy::Allow,
            max_connections: 1,
            initial_r2t: false,
            immediate_data: true,
            max_recv_data_segment_len: 256 << 10,
            max_burst_len: 0x00ff_ffff,
            first_burst_len: 1 << 20,
            max_outstanding_r2t: 16,
            default_time2wait: 0,
            default_time2retain: 0,
            data_pdu_in_order: true,
            data_sequence_in_order: true,
            error_recovery_level: 0,
            task_reporting: TaskReporting::FastAbort,
            protocol_level: 1,
        }
    }
}

/// The wish for one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Digest(DigestPolicy),
    Value(u32),
}

impl Wish {
    /// As a single value; of a digest the one that is offered first.
    pub(super) fn value(self) -> u32 {
        match self {
            Wish::Value(value) => value,
            Wish::Digest(policy) => (policy >= DigestPolicy::Prefer).into(),
        }
    }
}

impl Operational {
    /// MaxRecvDataSegmentLength in its range.
    pub(super) fn recv_len(&self) -> u32 {
        self.max_recv_data_segment_len.clamp(*RECV_LENGTHS.start(), *RECV_LENGTHS.end())
    }

    /// The wish for a negotiated key.
    pub(super) fn wish(&self, key: Key) -> Wish {
        let value = match key {
            Key::HeaderDigest => return Wish::Digest(self.header_digest),
            Key::DataDigest => return Wish::Digest(self.data_digest),
            Key::MaxConnections => self.max_connections.into(),
            Key::InitialR2t => self.initial_r2t.into(),
            Key::ImmediateData => self.immediate_data.into(),
            Key::MaxBurstLength => self.max_burst_len,
            Key::FirstBurstLength => self.first_burst_len.min(self.max_burst_len),
            Key::DefaultTime2Wait => self.default_time2wait.into(),
            Key::DefaultTime2Retain => self.default_time2retain.into(),
            Key::MaxOutstandingR2t => self.max_outstanding_r2t.into(),
            Key::DataPduInOrder => self.data_pdu_in_order.into(),
            Key::DataSequenceInOrder => self.data_sequence_in_order.into(),
            Key::ErrorRecoveryLevel => self.error_recovery_level.into(),
            Key::TaskReporting => self.task_reporting as u32,
            Key::ProtocolLevel => self.protocol_level.into(),
            _ => unreachable!("only negotiated keys have a wish"),
        };
        let (rule, _) = key.rule().expect("only negotiated keys have a wish");
        Wish::Value(rule.clamp(value))
    }
}

/// What an initiator says and wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    /// Who it is.
    pub initiator_name: IscsiName,
    /// What it calls itself.
    pub initiator_alias: Option<String>,
    /// Where it logs in; nothing in a discovery session.
    pub target_name: Option<IscsiName>,
    /// What the session is for.
    pub session_type: SessionType,
    /// The rest.
    pub operational: Operational,
}

impl Offer {
    /// A session for SCSI commands.
    #[must_use]
    pub fn normal(initiator_name: IscsiName, target_name: IscsiName) -> Offer {
        let target_name = Some(target_name);
        let session_type = SessionType::Normal;
        Offer { target_name, session_type, ..Offer::discovery(initiator_name) }
    }

    /// A session to ask for targets.
    #[must_use]
    pub fn discovery(initiator_name: IscsiName) -> Offer {
        Offer {
            initiator_name,
            initiator_alias: None,
            target_name: None,
            session_type: SessionType::Discovery,
            operational: Operational::default(),
        }
    }
}

/// What a target says and takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// What it calls itself.
    pub target_alias: Option<String>,
    /// The portal group that the connection came in through.
    pub target_portal_group_tag: u16,
    /// The rest.
    pub operational: Operational,
}

//! What a session works with after the login.

use alloc::string::String;

use super::TaskReporting;
use crate::iscsi::text::IscsiName;

/// What a session is for (RFC 7143 section 13.21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionType {
    /// SCSI commands.
    #[default]
    Normal,
    /// SendTargets and nothing else.
    Discovery,
}

/// The result of a login. Lengths are in bytes, times in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionParams {
    /// Normal or discovery.
    pub session_type: SessionType,
    /// Who logged in.
    pub initiator_name: Option<IscsiName>,
    /// What it calls itself.
    pub initiator_alias: Option<String>,
    /// Where it logged in; nothing in a discovery session.
    pub target_name: Option<IscsiName>,
    /// What that calls itself.
    pub target_alias: Option<String>,
    /// The portal group that was reached; the initiator compares it with the one it expects.
    pub target_portal_group_tag: Option<u16>,
    /// CRC32C over headers.
    pub header_digest: bool,
    /// CRC32C over data.
    pub data_digest: bool,
    /// How many connections the session may have.
    pub max_connections: u16,
    /// Write data beyond the immediate wait for an R2T.
    pub initial_r2t: bool,
    /// Write data may travel with their command.
    pub immediate_data: bool,
    /// Longest data segment that this side takes.
    pub max_recv_data_segment_len: u32,
    /// Longest data segment that the peer takes.
    pub max_send_data_segment_len: u32,
    /// Longest Data-In sequence, and longest R2T.
    pub max_burst_len: u32,
    /// Longest unsolicited write data, immediate included; at most `max_burst_len`.
    pub first_burst_len: u32,
    /// How many R2Ts a task may have at once.
    pub max_outstanding_r2t: u16,
    /// How long to wait after a connection broke before reconnecting.
    pub default_time2wait: u16,
    /// How long the target keeps tasks after that.
    pub default_time2retain: u16,
    /// Within a sequence data come in the order of their offsets.
    pub data_pdu_in_order: bool,
    /// Sequences come in the order of their offsets.
    pub data_sequence_in_order: bool,
    /// 0, 1 or 2.
    pub error_recovery_level: u8,
    /// What is told of tasks that others ended.
    pub task_reporting: TaskReporting,
    /// 1 for RFC 7143, 2 for RFC 7144.
    pub protocol_level: u8,
}

impl Default for SessionParams {
    /// The defaults of RFC 7143 section 13.
    fn default() -> SessionParams {
        SessionParams {
            session_type: SessionType::Normal,
            initiator_name: None,
            initiator_alias: None,
            target_name: None,
            target_alias: None,
            target_portal_group_tag: None,
            header_digest: false,
            data_digest: false,
            max_connections: 1,
            initial_r2t: true,
            immediate_data: true,
            max_recv_data_segment_len: 8192,
            max_send_data_segment_len: 8192,
            max_burst_len: 262_144,
            first_burst_len: 65536,
            max_outstanding_r2t: 1,
            default_time2wait: 2,
            default_time2retain: 20,
            data_pdu_in_order: true,
            data_sequence_in_order: true,
            error_recovery_level: 0,
            task_reporting: TaskReporting::Rfc3720,
            protocol_level: 1,
        }
    }
}

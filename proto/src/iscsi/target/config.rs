//! What a session is made of: what was negotiated, where the numbers start, and the named limits.

use super::slab::SLOTS_MAX;
use crate::iscsi::negotiate::{SessionParams, SessionType, TaskReporting};
use crate::serial::Serial;

/// Most commands that a window may be open for.
pub const TASKS_MAX: u16 = (SLOTS_MAX - IMMEDIATE_TASKS_MAX) / 2;
/// Immediate SCSI commands alive at once; the window does not count them (RFC 7143 section 4.2.2.1).
pub const IMMEDIATE_TASKS_MAX: u16 = 4;
/// R2Ts of one command outstanding at once, whatever was negotiated: a target may ask for less.
pub const R2TS_MAX: u32 = 8;
/// Answers (pings, rejects, text) that wait to be sent before requests are refused.
pub const CONTROL_MAX: usize = 32;
/// Rejects that may wait above [`CONTROL_MAX`]; one more ends the connection.
pub const REJECTS_MAX: usize = 32;
/// Bytes of pings, text and held requests kept for one session.
pub const INLINE_BYTES_MAX: usize = 1 << 20;
/// Bytes of one text request over all its PDUs (RFC 7143 section 6.2 asks for 8192 at least).
pub const TEXT_LEN_MAX: usize = 64 << 10;
/// Task management functions of one session that have no answer yet.
pub const MANAGEMENT_MAX: usize = 8;
/// Statuses that an initiator may leave unacknowledged (RFC 7143 section 4.2.2.2).
pub const STAT_SN_GAP_MAX: u32 = 1 << 16;
/// How long a function that aborts a task set waits for data already asked for, in nanoseconds.
pub const DRAIN_NS: u64 = 2_000_000_000;

/// What the shell chooses for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Most commands delivered and not yet answered, 1 to [`TASKS_MAX`].
    pub tasks_max: u16,
    /// Silence of the peer after which it is pinged, in nanoseconds; nothing for never.
    pub keepalive_ns: Option<u64>,
    /// Silence after a ping after which the peer counts as gone, in nanoseconds.
    pub silence_ns: u64,
}

/// Where the login left the numbers of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Start {
    /// ExpCmdSN: the CmdSN of the first command.
    pub exp_cmd_sn: Serial,
    /// StatSN of the first answer of this phase.
    pub stat_sn: Serial,
    /// Connection identifier of the login, named by logout requests.
    pub cid: u16,
}

/// The negotiated values that the hot path looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Terms {
    pub(super) recv_segment_max: u32,
    pub(super) send_segment_max: u32,
    pub(super) burst_max: u32,
    pub(super) first_burst_max: u32,
    pub(super) r2ts_max: u32,
    pub(super) initial_r2t: bool,
    pub(super) immediate_data: bool,
    pub(super) fast_abort: bool,
    pub(super) is_discovery: bool,
}

impl Terms {
    /// # Panics
    /// Where out-of-order data were agreed: the answer of this target is always in order, and one
    /// such answer decides (RFC 7143 sections 13.18 and 13.19).
    pub(super) fn new(params: &SessionParams) -> Terms {
        assert!(params.data_pdu_in_order && params.data_sequence_in_order, "data come in order");
        assert!(params.max_burst_len > 0, "a burst has 512 bytes at least (section 13.13)");
        assert!(params.max_send_data_segment_len > 0, "so has a segment (section 13.12)");
        Terms {
            recv_segment_max: params.max_recv_data_segment_len,
            send_segment_max: params.max_send_data_segment_len,
            burst_max: params.max_burst_len,
            first_burst_max: params.first_burst_len,
            r2ts_max: u32::from(params.max_outstanding_r2t).clamp(1, R2TS_MAX),
            initial_r2t: params.initial_r2t,
            immediate_data: params.immediate_data,
            fast_abort: params.task_reporting == TaskReporting::FastAbort,
            is_discovery: params.session_type == SessionType::Discovery,
        }
    }
}

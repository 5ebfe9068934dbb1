//! What a session starts with: what was negotiated, where the numbers stand, what the caller wants.

use crate::iscsi::negotiate::{SessionParams, SessionType, TaskReporting};
use crate::serial::Serial;

/// Most tasks of a session: a slot must never look like the tag of another exchange.
pub const TASKS_MAX: u16 = 1024;

/// Most R2Ts that a task may have at once; more must not be negotiated.
pub const R2TS_MAX: u16 = 256;

const SECOND_NS: u64 = 1_000_000_000;

/// Where the numbers stand after the final Login Response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Start {
    /// CID of the connection.
    pub cid: u16,
    /// CmdSN of the first command: that of the leading login, which does not advance it (RFC 7143
    /// section 11.12.9).
    pub cmd_sn: Serial,
    /// One above the StatSN of the final Login Response.
    pub exp_stat_sn: Serial,
    /// ExpCmdSN of the final Login Response.
    pub exp_cmd_sn: Serial,
    /// MaxCmdSN of the final Login Response.
    pub max_cmd_sn: Serial,
}

/// What the caller wants of the session. Times are in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Size of the table of tasks, at most [`TASKS_MAX`].
    pub tasks_max: u16,
    /// Silence of the target before it is pinged, and again before it is pinged once more.
    pub ka_ns: u64,
    /// Silences in a row before the session fails.
    pub ka_misses_max: u8,
    /// Time for a task management function before the next step of the ladder.
    pub tmf_ns: u64,
    /// Time for the answer to a Logout Request.
    pub logout_ns: u64,
}

impl Config {
    /// Two seconds of silence before a ping, 5 seconds for a function and a logout.
    #[must_use]
    pub fn new(tasks_max: u16) -> Config {
        Config {
            tasks_max,
            ka_ns: 2 * SECOND_NS,
            ka_misses_max: 3,
            tmf_ns: 5 * SECOND_NS,
            logout_ns: 5 * SECOND_NS,
        }
    }
}

/// The part of what was negotiated that the full-feature phase needs. Lengths are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Terms {
    pub(super) is_discovery: bool,
    /// Our MaxRecvDataSegmentLength.
    pub(super) receive_max: u32,
    /// The target's.
    pub(super) send_max: u32,
    pub(super) burst_max: u32,
    /// Immediate data of a command end here at the latest.
    pub(super) immediate_max: u32,
    /// Data that no R2T asks for end here at the latest.
    pub(super) unsolicited_max: u32,
    pub(super) r2ts_max: u16,
    pub(super) is_pdu_in_order: bool,
    pub(super) is_sequence_in_order: bool,
    pub(super) is_fast_abort: bool,
}

impl Terms {
    pub(super) fn new(params: &SessionParams) -> Terms {
        let r2ts_max = params.max_outstanding_r2t;
        assert!((1..=R2TS_MAX).contains(&r2ts_max), "at most {R2TS_MAX} R2Ts are offered");
        let send_max = params.max_send_data_segment_len;
        let first = params.first_burst_len;
        let immediate_max = if params.immediate_data { first.min(send_max) } else { 0 };
        Terms {
            is_discovery: params.session_type == SessionType::Discovery,
            receive_max: params.max_recv_data_segment_len,
            send_max,
            burst_max: params.max_burst_len,
            immediate_max,
            unsolicited_max: if params.initial_r2t { immediate_max } else { first },
            r2ts_max,
            is_pdu_in_order: params.data_pdu_in_order,
            is_sequence_in_order: params.data_sequence_in_order,
            is_fast_abort: params.task_reporting == TaskReporting::FastAbort,
        }
    }
}

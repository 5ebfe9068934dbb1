//! TaskReporting (RFC 7143 section 13.23): what a target tells of tasks that others ended. Offered as
//! a list, best first.

use crate::iscsi::text::items;

/// What is told of tasks that end by a function about other tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TaskReporting {
    /// The old rules: the initiator goes on answering R2Ts of tasks that are being aborted.
    #[default]
    Rfc3720 = 0,
    /// Responses before and after the function's own are fenced off over all connections.
    ResponseFence = 1,
    /// Data of aborted tasks stop at once, and async event 5 is acknowledged by a NOP-Out.
    FastAbort = 2,
}

const ALL: [(TaskReporting, &str); 3] = [
    (TaskReporting::Rfc3720, "RFC3720"),
    (TaskReporting::ResponseFence, "ResponseFence"),
    (TaskReporting::FastAbort, "FastAbort"),
];

/// The value of the best way.
pub(super) const BEST: u32 = TaskReporting::FastAbort as u32;

impl TaskReporting {
    pub(super) fn from_value(value: u32) -> TaskReporting {
        let known = ALL.into_iter().map(|(way, _)| way).find(|way| *way as u32 == value);
        known.expect("a negotiated way of reporting is one of the list")
    }
}

/// All ways up to the best one, best first.
pub(super) fn offer(best: u32) -> &'static str {
    match TaskReporting::from_value(best) {
        TaskReporting::Rfc3720 => "RFC3720",
        TaskReporting::ResponseFence => "ResponseFence,RFC3720",
        TaskReporting::FastAbort => "FastAbort,ResponseFence,RFC3720",
    }
}

/// The first item of the offer that is not above `best`.
pub(super) fn choose(best: u32, offered: &str) -> Option<u32> {
    items(offered).filter_map(parse).find(|value| *value <= best)
}

pub(super) fn parse(text: &str) -> Option<u32> {
    ALL.into_iter().find(|(_, name)| *name == text).map(|(way, _)| way as u32)
}

pub(super) fn format(value: u32) -> &'static str {
    match TaskReporting::from_value(value) {
        TaskReporting::Rfc3720 => "RFC3720",
        TaskReporting::ResponseFence => "ResponseFence",
        TaskReporting::FastAbort => "FastAbort",
    }
}

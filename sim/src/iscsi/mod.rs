//! The iSCSI initiator against the iSCSI target, while the network, the target and its disk fail.
//!
//! The promises, checked from outside: every request ends once, in bounded time, and as its kind of
//! failure says; what the LUN holds is what the model of `crash` allows; no copy of a write is
//! executed after the write was handed back, nor beside another copy of it (`lab`); a flush
//! does not go well over a loss of the target's cache that nobody was told of.

mod story;
mod target;
mod trouble;

pub(crate) use story::run;

/// A rule that initiator or target breaks on purpose, so that the checkers can prove that they
/// notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IscsiMutation {
    /// Every rule is kept.
    #[default]
    None,
    /// The initiator sends a write that may have been executed by any path, at once.
    ReplayAnywhere,
    /// The initiator sends compare-and-write again that may have been executed.
    CompareTwice,
    /// The initiator does not tell that the target lost its cache.
    LossUntold,
    /// The initiator forgets what a session told that ended during its survey.
    LossForgotten,
    /// The target does not wait for the commands of a session that another one replaces.
    NoDrain,
}

impl IscsiMutation {
    /// Every mutation that breaks something.
    pub const ALL: [IscsiMutation; 5] = [
        IscsiMutation::ReplayAnywhere,
        IscsiMutation::CompareTwice,
        IscsiMutation::LossUntold,
        IscsiMutation::LossForgotten,
        IscsiMutation::NoDrain,
    ];
}

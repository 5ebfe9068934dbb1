//! Which abilities of the kernel a ring may use: what is there, less what was forced off.
//!
//! Invariant: every feature has a fall-back that works on kernel 6.1; forcing a feature off takes
//! the very path that a kernel without it takes, so that each fall-back is tested anywhere.

use std::fmt;

/// An ability of the kernel or of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Feature {
    /// SINGLE_ISSUER with DEFER_TASKRUN (6.1): completions are run by the reactor itself.
    DeferTaskrun,
    /// COOP_TASKRUN and TASKRUN_FLAG (5.19): no interrupts for completions.
    CoopTaskrun,
    /// NO_SQARRAY (6.6): one indirection less in the submission queue.
    NoSqArray,
    /// A sparse table of registered files (5.19).
    RegisteredFiles,
    /// A sparse table of registered buffers (5.19).
    RegisteredBuffers,
    /// Rings of buffers that the kernel picks from (5.19).
    BufferRing,
    /// One accept request for many connections (5.19).
    MultishotAccept,
    /// One receive request for many arrivals (6.0).
    MultishotReceive,
    /// One ring wakes another (5.18).
    MsgRing,
    /// BLOCK_URING_CMD_DISCARD (6.12): discard of a block device without a helper thread.
    DiscardCommand,
    /// A sleep that waits for several completions, but not for long (6.12).
    MinWait,
    /// A ring whose completions are polled (needs poll queues of the device).
    Iopoll,
}

impl Feature {
    /// All of them, in the order of the report.
    pub const ALL: [Feature; 12] = [
        Feature::DeferTaskrun,
        Feature::CoopTaskrun,
        Feature::NoSqArray,
        Feature::RegisteredFiles,
        Feature::RegisteredBuffers,
        Feature::BufferRing,
        Feature::MultishotAccept,
        Feature::MultishotReceive,
        Feature::MsgRing,
        Feature::DiscardCommand,
        Feature::MinWait,
        Feature::Iopoll,
    ];

    /// The word for options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Feature::DeferTaskrun => "defer-taskrun",
            Feature::CoopTaskrun => "coop-taskrun",
            Feature::NoSqArray => "no-sqarray",
            Feature::RegisteredFiles => "registered-files",
            Feature::RegisteredBuffers => "registered-buffers",
            Feature::BufferRing => "buffer-ring",
            Feature::MultishotAccept => "multishot-accept",
            Feature::MultishotReceive => "multishot-receive",
            Feature::MsgRing => "msg-ring",
            Feature::DiscardCommand => "discard-command",
            Feature::MinWait => "min-wait",
            Feature::Iopoll => "iopoll",
        }
    }

    /// The feature that `word` names.
    pub fn from_name(word: &str) -> Option<Feature> {
        Feature::ALL.into_iter().find(|feature| feature.name() == word)
    }
}

/// A set of features.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FeatureSet(u32);

impl FeatureSet {
    /// No feature.
    pub const NONE: FeatureSet = FeatureSet(0);

    /// Every feature.
    pub fn all() -> FeatureSet {
        Feature::ALL.into_iter().collect()
    }

    /// Adds a feature.
    pub fn insert(&mut self, feature: Feature) {
        self.0 |= 1 << feature as u8;
    }

    /// Takes a feature out.
    pub fn remove(&mut self, feature: Feature) {
        self.0 &= !(1 << feature as u8);
    }

    /// True where the feature is in the set.
    #[inline]
    pub fn has(self, feature: Feature) -> bool {
        self.0 & 1 << feature as u8 != 0
    }
}

impl FromIterator<Feature> for FeatureSet {
    fn from_iter<I: IntoIterator<Item = Feature>>(features: I) -> Self {
        let mut set = FeatureSet::NONE;
        features.into_iter().for_each(|feature| set.insert(feature));
        set
    }
}

impl fmt::Debug for FeatureSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Feature::ALL.into_iter().filter(|&x| self.has(x)).map(Feature::name);
        f.debug_set().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_features() {
        for feature in Feature::ALL {
            assert_eq!(Feature::from_name(feature.name()), Some(feature));
        }
        assert_eq!(Feature::from_name("sqpoll"), None);
    }

    #[test]
    fn a_removed_feature_is_gone() {
        let mut set = FeatureSet::all();
        set.remove(Feature::MsgRing);
        assert!(!set.has(Feature::MsgRing) && set.has(Feature::Iopoll));
    }
}

//! The four classes of tasks and their shares of a core.

/// What a task is for; decides its share of the core when there is more work than time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Class {
    /// Somebody waits for a single answer: lock grants, heartbeats.
    Latency,
    /// The data path.
    Foreground,
    /// File-system metadata: journal, inode writes.
    Metadata,
    /// What may wait: scrub, rebuild, discard.
    Background,
}

impl Class {
    pub(crate) const COUNT: usize = 4;
    pub(crate) const ALL: [Class; Class::COUNT] =
        [Class::Latency, Class::Foreground, Class::Metadata, Class::Background];

    /// Parts of the core's time when every class has work: 800 : 400 : 200 : 50.
    pub fn shares(self) -> u64 {
        match self {
            Class::Latency => 800,
            Class::Foreground => 400,
            Class::Metadata => 200,
            Class::Background => 50,
        }
    }

    /// The word for reports.
    pub fn name(self) -> &'static str {
        match self {
            Class::Latency => "latency",
            Class::Foreground => "foreground",
            Class::Metadata => "metadata",
            Class::Background => "background",
        }
    }
}

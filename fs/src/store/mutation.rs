//! A rule of the journal that is broken on purpose, so that crash tests can prove that they notice.

/// Which rule. Reached by tests and by the simulator's own binary only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutation {
    /// Every rule is kept.
    #[default]
    None,
    /// Images are written in place before their commit is durable.
    InPlaceEarly,
    /// The tail moves before a flush made the images in place durable.
    TailBeforeFlush,
    /// Commits lie in the volatile cache of the device like any other write.
    CommitWithoutFua,
    /// A replay applies images that are older than what is in place.
    ReplayWithoutVersion,
    /// Freed data is used again before its free is durable.
    BusyReusedEarly,
}

impl Mutation {
    /// Every mutation that breaks something.
    pub const ALL: [Mutation; 5] = [
        Mutation::InPlaceEarly,
        Mutation::TailBeforeFlush,
        Mutation::CommitWithoutFua,
        Mutation::ReplayWithoutVersion,
        Mutation::BusyReusedEarly,
    ];

    /// The word for options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Mutation::None => "none",
            Mutation::InPlaceEarly => "in-place-early",
            Mutation::TailBeforeFlush => "tail-before-flush",
            Mutation::CommitWithoutFua => "commit-without-fua",
            Mutation::ReplayWithoutVersion => "replay-without-version",
            Mutation::BusyReusedEarly => "busy-reused-early",
        }
    }

    /// The mutation that `word` names.
    pub fn from_name(word: &str) -> Option<Mutation> {
        Mutation::ALL.into_iter().find(|mutation| mutation.name() == word)
    }
}

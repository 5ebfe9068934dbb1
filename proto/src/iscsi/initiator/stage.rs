//! The life of one task, and the ladder that ends it when the target does not.
//!
//! ```text
//! Queued ─sent─> Active ─status─> (finished)
//!                  │ expired, spoiled
//!               Aborting ─gone─> (finished)        ABORT TASK is queued or on its way
//!                  │ refused
//!               Resetting ─gone─> (finished)       LOGICAL UNIT RESET, the same
//!                  │ refused
//!               (the session fails)
//! ```
//!
//! Invariant: a task that was sent leaves only by a status, by the answer to a task management
//! function that covers it, or with its session. Until then the target may still execute it.

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// The slot has no task.
    Free,
    /// Waits for the window; has no CmdSN and can be forgotten at no cost.
    Queued,
    /// Was rejected before the target took it: goes again under the CmdSN it has.
    Resending,
    /// The target has it.
    Active,
    /// ABORT TASK is on its way.
    Aborting,
    /// LOGICAL UNIT RESET is on its way.
    Resetting,
}

/// What can happen to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Its command was handed out for sending.
    Sent,
    /// The command was rejected and has not used up its number.
    Bounced,
    /// A status came.
    Status,
    /// A part of its data came with a wrong digest.
    Spoiled,
    /// A period went by without any progress.
    Expired,
    /// The caller does not want it any more.
    Cancelled,
    /// A task management function that covers it is done.
    Gone,
    /// The function of this stage was refused or not answered.
    Refused,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Move {
    /// Nothing.
    Stay,
    /// The task goes on there.
    To(Stage),
    /// The task ends.
    Finish,
    /// The session ends, and the task with it.
    FailSession,
}

impl Stage {
    /// The one table of a task's life.
    ///
    /// # Panics
    /// For a pair that the session never makes, whatever the target does.
    #[inline]
    pub(super) fn step(self, step: Step) -> Move {
        self.lookup(step).unwrap_or_else(|| panic!("a task cannot take {step:?} in {self:?}"))
    }

    #[inline]
    pub(super) fn lookup(self, step: Step) -> Option<Move> {
        use Move::*;
        use Stage::*;
        Some(match (self, step) {
            (Queued, Step::Sent) | (Resending, Step::Sent) => To(Active),
            (Queued, Step::Expired | Step::Cancelled) => Finish,
            (Resending, Step::Expired) => Stay,
            (Resending, Step::Cancelled) => To(Aborting),
            (Active, Step::Bounced) => To(Resending),
            (Active, Step::Spoiled | Step::Expired | Step::Cancelled) => To(Aborting),
            (Aborting | Resetting, Step::Spoiled | Step::Expired | Step::Cancelled) => Stay,
            (Active | Aborting | Resetting, Step::Status | Step::Gone) => Finish,
            (Resending, Step::Gone) => Finish,
            (Aborting, Step::Refused) => To(Resetting),
            (Resetting, Step::Refused) => FailSession,
            _ => return None,
        })
    }

    /// True where the target has the command, or may have it.
    #[inline]
    pub(super) fn is_sent(self) -> bool {
        !matches!(self, Stage::Free | Stage::Queued)
    }

    /// True where the clock of the task runs; later stages have the clock of their function.
    #[inline]
    pub(super) fn can_expire(self) -> bool {
        matches!(self, Stage::Queued | Stage::Resending | Stage::Active)
    }

    /// True where the target may speak of the task.
    #[inline]
    pub(super) fn is_at_target(self) -> bool {
        matches!(self, Stage::Active | Stage::Aborting | Stage::Resetting)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    const STAGES: [Stage; 6] = [
        Stage::Free,
        Stage::Queued,
        Stage::Resending,
        Stage::Active,
        Stage::Aborting,
        Stage::Resetting,
    ];
    const STEPS: [Step; 8] = [
        Step::Sent,
        Step::Bounced,
        Step::Status,
        Step::Spoiled,
        Step::Expired,
        Step::Cancelled,
        Step::Gone,
        Step::Refused,
    ];

    fn cell(stage: Stage, step: Step) -> String {
        match stage.lookup(step) {
            None => "-".into(),
            Some(Move::Stay) => "stay".into(),
            Some(Move::Finish) => "finish".into(),
            Some(Move::FailSession) => "FAIL".into(),
            Some(Move::To(next)) => format!("{next:?}"),
        }
    }

    #[test]
    fn the_table_of_stages_and_steps() {
        let mut table = String::from("\n");
        for step in STEPS {
            let mut line = format!("{:<10}", format!("{step:?}"));
            for stage in STAGES {
                line.push_str(&format!("{:<11}", cell(stage, step)));
            }
            table.push_str(line.trim_end());
            table.push('\n');
        }
        //            Free       Queued     Resending  Active     Aborting   Resetting
        let expected = "
Sent      -          Active     Active     -          -          -
Bounced   -          -          -          Resending  -          -
Status    -          -          -          finish     finish     finish
Spoiled   -          -          -          Aborting   stay       stay
Expired   -          finish     stay       Aborting   stay       stay
Cancelled -          finish     Aborting   Aborting   stay       stay
Gone      -          -          finish     finish     finish     finish
Refused   -          -          -          -          Resetting  FAIL
";
        assert_eq!(table, expected);
    }
}

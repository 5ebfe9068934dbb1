//! The life of the session in full-feature phase.
//!
//! ```text
//! Running ─close─> Closing ─drained─> LoggingOut ─answered─> LoggedOut
//!    └─leave─> Leaving ──drained, time is up──┘
//! and from all of them: ─fail─> Failed
//! ```
//!
//! `Closing` is the caller's wish: what is queued is still sent. `Leaving` is the target's (RFC 7143
//! section 11.9.1): no new command goes out. After the Logout Request nothing else is sent.

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Commands come and go.
    Running,
    /// The caller logs out: nothing new is taken, what was taken is finished first.
    Closing,
    /// The target wants a logout: nothing new is sent, what was sent is waited for.
    Leaving,
    /// The Logout Request is sent: nothing else is.
    LoggingOut,
    /// The target answered it.
    LoggedOut,
    /// The session is broken; its unfinished commands are to be replayed on another.
    Failed,
}

/// What can happen to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Turn {
    /// The caller logs out.
    Close,
    /// The target wants a logout.
    Leave,
    /// The Logout Request was handed out for sending.
    LogoutSent,
    /// Its response came.
    LogoutAnswered,
    /// Anything that a session does not survive.
    Fail,
}

impl State {
    /// The one table of a session's life; nothing where the turn has no meaning there.
    pub(super) fn after(self, turn: Turn) -> Option<State> {
        use State::*;
        Some(match (self, turn) {
            (Running | Closing, Turn::Close) => Closing,
            (Running | Closing | Leaving, Turn::Leave) | (Leaving, Turn::Close) => Leaving,
            (LoggingOut, Turn::Close | Turn::Leave) => LoggingOut,
            (Closing | Leaving, Turn::LogoutSent) => LoggingOut,
            (LoggingOut, Turn::LogoutAnswered) => LoggedOut,
            (LoggedOut, Turn::Fail) => LoggedOut,
            (_, Turn::Fail) => Failed,
            _ => return None,
        })
    }

    /// True where new commands are taken.
    #[inline]
    pub(super) fn takes_commands(self) -> bool {
        self == State::Running
    }

    /// True where queued commands go out.
    #[inline]
    pub(super) fn sends_commands(self) -> bool {
        matches!(self, State::Running | State::Closing)
    }

    /// True where anything goes out.
    #[inline]
    pub(super) fn sends(self) -> bool {
        matches!(self, State::Running | State::Closing | State::Leaving)
    }

    /// True where nothing is received any more.
    #[must_use]
    #[inline]
    pub fn is_over(self) -> bool {
        matches!(self, State::LoggedOut | State::Failed)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    #[test]
    fn the_table_of_states_and_turns() {
        let states = [
            State::Running,
            State::Closing,
            State::Leaving,
            State::LoggingOut,
            State::LoggedOut,
            State::Failed,
        ];
        let turns = [Turn::Close, Turn::Leave, Turn::LogoutSent, Turn::LogoutAnswered, Turn::Fail];
        let mut table = String::from("\n");
        for turn in turns {
            let mut line = format!("{:<15}", format!("{turn:?}"));
            for state in states {
                let next = state.after(turn).map_or("-".into(), |next| format!("{next:?}"));
                line.push_str(&format!("{next:<11}"));
            }
            table.push_str(line.trim_end());
            table.push('\n');
        }
        //                 Running    Closing    Leaving    LoggingOut LoggedOut  Failed
        let expected = "
Close          Closing    Closing    Leaving    LoggingOut -          -
Leave          Leaving    Leaving    Leaving    LoggingOut -          -
LogoutSent     -          LoggingOut LoggingOut -          -          -
LogoutAnswered -          -          -          LoggedOut  -          -
Fail           Failed     Failed     Failed     Failed     LoggedOut  Failed
";
        assert_eq!(table, expected);
    }
}

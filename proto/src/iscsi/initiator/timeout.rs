//! Time: silence, overdue tasks, functions and logouts without an answer.
//!
//! Deadlines are looked at in one sweep over the table, and only when the earliest of them may have
//! come: a command that ends in time costs nothing. Sweeps keep a distance, so a deadline is met late
//! by at most that much.

use super::event::AbortCause;
use super::session::Session;
use super::stage::Step;
use super::state::State;

/// Least time between two sweeps, in nanoseconds.
const SWEEP_NS_MIN: u64 = 1_000_000;

impl Session {
    /// When [`Session::handle_timeout`] is to be called next, in nanoseconds of the caller's clock;
    /// nothing where the session is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        if self.state.is_over() {
            return None;
        }
        let quiet = self.logout.by_ns();
        if self.state == State::LoggingOut {
            return Some(quiet);
        }
        let silence = self.nop.silence_ends_ns(self.config.ka_ns);
        let next = self.next_check_ns.min(silence).min(self.tmfs.next_ns());
        Some(next.min(if self.is_urgent { u64::MAX } else { quiet }))
    }

    /// Does what time asks for. May be called at any time.
    pub fn handle_timeout(&mut self, now_ns: u64) {
        if self.state.is_over() {
            return;
        }
        self.check_logout(now_ns);
        if self.state.sends() {
            self.check_silence(now_ns);
        }
        if self.state.sends() {
            self.check_tmfs(now_ns);
        }
        if self.state.sends() && now_ns >= self.next_check_ns {
            self.sweep(now_ns);
        }
    }

    fn sweep(&mut self, now_ns: u64) {
        let mut next_ns = u64::MAX;
        for slot in 0..self.tasks.capacity() {
            if let Some(check_ns) = self.look_at(slot, now_ns) {
                next_ns = next_ns.min(check_ns);
            }
        }
        self.next_check_ns = next_ns.max(now_ns.saturating_add(SWEEP_NS_MIN));
    }

    /// Looks at one task; answers when to look again.
    fn look_at(&mut self, slot: u16, now_ns: u64) -> Option<u64> {
        let task = &mut self.tasks[slot];
        if !task.stage.can_expire() {
            return None;
        }
        if now_ns < task.check_ns {
            return Some(task.check_ns);
        }
        if core::mem::take(&mut task.has_progress) {
            task.check_ns = now_ns.saturating_add(task.period_ns);
            return Some(task.check_ns);
        }
        self.give_up(slot, Step::Expired, AbortCause::Deadline);
        let task = &mut self.tasks[slot];
        task.check_ns = now_ns.saturating_add(task.period_ns);
        task.stage.can_expire().then_some(task.check_ns)
    }
}

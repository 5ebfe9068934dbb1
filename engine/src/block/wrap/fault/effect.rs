//! What the rules that fired do to one request, together.

use super::super::SplitMix64;
use super::plan::FaultAction;
use crate::block::{Io, Op};
use crate::error::ErrorKind;

/// When a device answers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stall {
    period_ns: u64,
    stall_ns: u64,
}

impl Stall {
    /// The first time from `ns` on at which the device answers.
    fn after(self, ns: u64) -> u64 {
        let within = ns % self.period_ns;
        if within < self.period_ns.saturating_sub(self.stall_ns) {
            return ns;
        }
        // A stall as long as its period has no gap: the borders between two are one.
        ns.saturating_add(self.period_ns - within)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) fail: Option<ErrorKind>,
    pub(super) drop: bool,
    /// How many bytes reach the device.
    pub(super) torn_len: Option<u64>,
    pub(super) misdirect_to: Option<u64>,
    pub(super) reorder: Option<u32>,
    delay_ns: u64,
    stall: Option<Stall>,
}

impl Effect {
    pub(super) fn add(
        &mut self,
        action: FaultAction,
        io: &Io,
        atomic_len: u32,
        rng: &mut SplitMix64,
    ) {
        let is_torn_op = matches!(io.op, Op::Write | Op::WriteZeroes);
        match action {
            FaultAction::Fail(kind) => self.fail = Some(kind),
            FaultAction::Delay { ns } => self.delay_ns = self.delay_ns.saturating_add(ns),
            FaultAction::Jitter { ns_max } => {
                let ns = rng.below(ns_max.saturating_add(1));
                self.delay_ns = self.delay_ns.saturating_add(ns);
            }
            FaultAction::Stall { period_ns, stall_ns } => {
                assert!(period_ns > 0, "a stall has a period");
                self.stall = Some(Stall { period_ns, stall_ns });
            }
            FaultAction::Drop => self.drop = true,
            FaultAction::Torn if is_torn_op => {
                self.torn_len = Some(torn_len(io, u64::from(atomic_len), rng));
            }
            FaultAction::Misdirect { to } if is_torn_op || io.op == Op::Read => {
                self.misdirect_to = Some(to);
            }
            FaultAction::Reorder { window } => self.reorder = Some(window),
            FaultAction::Torn | FaultAction::Misdirect { .. } => {}
        }
    }

    /// When a request may complete that was submitted at `began_ns` and is done at `now_ns`.
    pub(super) fn release_ns(&self, began_ns: u64, now_ns: u64) -> u64 {
        let release_ns = began_ns.saturating_add(self.delay_ns).max(now_ns);
        self.stall.map_or(release_ns, |stall| stall.after(release_ns))
    }
}

/// The bytes before a random border of atomic units; zero where the request lies in one unit.
fn torn_len(io: &Io, atomic_len: u64, rng: &mut SplitMix64) -> u64 {
    let last = (io.offset + io.len.max(1) - 1) / atomic_len;
    let borders = last - io.offset / atomic_len;
    match rng.below(borders + 1) {
        0 => 0,
        nth => (io.offset / atomic_len + nth) * atomic_len - io.offset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_ends_with_its_period() {
        let stall = Stall { period_ns: 1000, stall_ns: 100 };
        let times = [0, 899, 900, 999, 1000, 1950];
        assert_eq!(times.map(|ns| stall.after(ns)), [0, 899, 1000, 1000, 1000, 2000]);
    }

    #[test]
    fn a_torn_write_ends_at_a_border_of_atomic_units() {
        let mut rng = SplitMix64::new(1);
        let io = Io { len: 8192, ..Io::write(2048, crate::block::Payload::None) };
        let mut lens: Vec<u64> = (0..100).map(|_| torn_len(&io, 4096, &mut rng)).collect();
        lens.sort_unstable();
        lens.dedup();
        assert_eq!(lens, [0, 2048, 6144]);
    }
}

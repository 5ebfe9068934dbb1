//! What a simulated disk is made of: geometry, latency, faults.
//!
//! All of it is an argument of the constructor; nothing here is reached from a command line or a
//! configuration file, save the mutations that the simulator's own binary offers to its tests.

use std::ops::Range;

use super::super::{PPM, Rng};
use crate::block::Op;
use crate::error::ErrorKind;

/// How long requests take.
#[derive(Clone, Debug)]
pub struct Latency {
    /// The usual time of a request in nanoseconds, drawn evenly.
    pub usual_ns: Range<u64>,
    /// How often a request doubles its time, and doubles it again: a heavy tail.
    pub double_ppm: u32,
    /// How often a request is slow.
    pub slow_ppm: u32,
    /// The time of a slow request in nanoseconds.
    pub slow_ns: Range<u64>,
    /// How often a request hangs until [`SimDisk::release_hung`](super::SimDisk::release_hung).
    pub hang_ppm: u32,
}

impl Default for Latency {
    fn default() -> Self {
        Latency {
            usual_ns: 20_000..120_000,
            double_ppm: PPM / 8,
            slow_ppm: PPM / 500,
            slow_ns: 10_000_000..100_000_000,
            hang_ppm: 0,
        }
    }
}

/// The most doublings of one draw.
const DOUBLINGS_MAX: u32 = 6;

impl Latency {
    /// The same time for every request.
    pub fn fixed(ns: u64) -> Latency {
        Latency { usual_ns: ns..ns, double_ppm: 0, slow_ppm: 0, slow_ns: 0..0, hang_ppm: 0 }
    }

    /// The time of one request; `None` where it hangs.
    pub(super) fn draw(&self, rng: &mut Rng) -> Option<u64> {
        if rng.chance(self.hang_ppm) {
            return None;
        }
        if rng.chance(self.slow_ppm) {
            return Some(rng.within(self.slow_ns.clone()));
        }
        let mut ns = rng.within(self.usual_ns.clone());
        for _ in 0..DOUBLINGS_MAX {
            if !rng.chance(self.double_ppm) {
                break;
            }
            ns *= 2;
        }
        Some(ns)
    }
}

/// Faults that a disk commits without telling, in parts per million of the requests: food for
/// checksums and checkers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SilentFaults {
    /// A write lands in another place and reports success.
    pub misdirected_write_ppm: u32,
    /// A read brings the bytes of another place.
    pub misdirected_read_ppm: u32,
    /// A write reports success and changes nothing.
    pub lost_write_ppm: u32,
    /// A read brings its bytes with one bit flipped.
    pub flipped_read_ppm: u32,
}

/// A promise that the disk breaks on purpose, so that checkers can prove that they notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutation {
    /// Every promise is kept.
    #[default]
    None,
    /// A flush makes nothing durable.
    FlushIgnored,
    /// A flush completes at once and makes durable later.
    FlushEarly,
    /// A write with `fua` lies in the cache like any other.
    FuaIgnored,
    /// Of what a flush or `fua` makes durable, some atomic units stay behind.
    TornAcknowledged,
}

impl Mutation {
    /// Every mutation that breaks something.
    pub const ALL: [Mutation; 4] = [
        Mutation::FlushIgnored,
        Mutation::FlushEarly,
        Mutation::FuaIgnored,
        Mutation::TornAcknowledged,
    ];

    /// The word for options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Mutation::None => "none",
            Mutation::FlushIgnored => "flush-ignored",
            Mutation::FlushEarly => "flush-early",
            Mutation::FuaIgnored => "fua-ignored",
            Mutation::TornAcknowledged => "torn-acknowledged",
        }
    }

    /// The mutation that `word` names.
    pub fn from_name(word: &str) -> Option<Mutation> {
        Mutation::ALL.into_iter().find(|mutation| mutation.name() == word)
    }
}

/// What a rule does to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// It fails with this kind. A write that ends as `Aborted { maybe_written: true }` may have
    /// reached the medium in parts; after any other kind the medium is unchanged.
    Fail(ErrorKind),
    /// It takes this much longer, in nanoseconds.
    Delay(u64),
    /// It hangs until [`SimDisk::release_hung`](super::SimDisk::release_hung).
    Hang,
}

/// A fault for the requests that it names. The first rule that matches a request decides.
#[derive(Clone, Debug)]
pub struct DiskRule {
    /// The operation, or every one.
    pub op: Option<Op>,
    /// Requests that touch these bytes. Operations without a place are touched by every rule.
    pub bytes: Range<u64>,
    /// Matching requests that pass unharmed first.
    pub skip: u32,
    /// Requests that are hit afterwards; then the rule is spent.
    pub times: u32,
    /// What happens to them.
    pub action: RuleAction,
}

impl DiskRule {
    /// A rule for every request of `op`.
    pub fn every(op: Op, action: RuleAction) -> DiskRule {
        DiskRule { op: Some(op), bytes: 0..u64::MAX, skip: 0, times: u32::MAX, action }
    }

    /// Counts a request; tells whether the rule hits it.
    pub(super) fn hits(&mut self, op: Op, offset: u64, len: u64) -> bool {
        let is_touched = offset < self.bytes.end && offset.saturating_add(len) > self.bytes.start;
        let is_named = self.op.is_none_or(|named| named == op);
        if !is_named || (op.has_range() && !is_touched) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let is_spent = self.times == 0;
        self.times = self.times.saturating_sub(1);
        !is_spent
    }
}

/// What a simulated disk is made of.
#[derive(Clone, Debug)]
pub struct DiskConfig {
    /// What error messages call it.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Logical block in bytes, a power of two.
    pub block_len: u32,
    /// Bytes that survive a power loss whole or not at all, aligned; a power of two.
    pub atomic_len: u32,
    /// The longest read or write in bytes.
    pub io_len_max: u32,
    /// Requests in flight per channel.
    pub depth_max: u32,
    /// How long requests take.
    pub latency: Latency,
    /// Faults that it does not tell of.
    pub silent: SilentFaults,
    /// Faults by rule.
    pub rules: Vec<DiskRule>,
    /// The promise that it breaks.
    pub mutation: Mutation,
}

impl Default for DiskConfig {
    fn default() -> Self {
        DiskConfig {
            name: "sim:disk".into(),
            size: 64 << 20,
            block_len: 512,
            atomic_len: 4096,
            io_len_max: 1 << 20,
            depth_max: 128,
            latency: Latency::default(),
            silent: SilentFaults::default(),
            rules: Vec::new(),
            mutation: Mutation::None,
        }
    }
}

impl DiskConfig {
    /// # Panics
    /// When the geometry is none: a bug of the test that asks for it.
    pub(super) fn check(&self) {
        assert!(self.block_len.is_power_of_two() && self.atomic_len.is_power_of_two());
        assert!(self.atomic_len >= self.block_len, "an atomic unit holds whole blocks");
        assert!(self.size.is_multiple_of(u64::from(self.block_len)), "the disk has whole blocks");
        assert!(self.depth_max > 0 && self.io_len_max >= self.block_len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_skips_then_hits_then_is_spent() {
        let action = RuleAction::Fail(ErrorKind::Media);
        let mut rule =
            DiskRule { op: Some(Op::Write), bytes: 4096..8192, skip: 1, times: 2, action };
        assert!(!rule.hits(Op::Read, 4096, 512) && !rule.hits(Op::Write, 8192, 512));
        let hits: Vec<_> = (0..5).map(|_| rule.hits(Op::Write, 0, 4097)).collect();
        assert_eq!(hits, [false, true, true, false, false]);
    }

    #[test]
    fn a_draw_of_latency_stays_within_its_tail() {
        let latency = Latency { usual_ns: 10..20, ..Latency::fixed(0) };
        let tail = Latency { double_ppm: PPM, ..latency.clone() };
        let mut rng = Rng::new(1);
        for _ in 0..100 {
            assert!((10..20).contains(&latency.draw(&mut rng).unwrap()));
            assert!((640..1280).contains(&tail.draw(&mut rng).unwrap()));
        }
        let hung = Latency { hang_ppm: PPM, ..latency };
        assert_eq!(hung.draw(&mut rng), None);
    }

    #[test]
    fn mutations_are_named() {
        for mutation in Mutation::ALL {
            assert_eq!(Mutation::from_name(mutation.name()), Some(mutation));
        }
        assert_eq!(Mutation::from_name("none"), None);
    }
}

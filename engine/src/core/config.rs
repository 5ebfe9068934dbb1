//! How a core is set up.

use std::sync::OnceLock;

use crate::error::SetupError;
use crate::memory::ArenaConfig;
use crate::ring::FeatureSet;

/// Whether an idle core spins or sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PollMode {
    /// Sleep as soon as there is nothing to do: least processor time.
    Never,
    /// Spin while work usually comes soon, then sleep.
    #[default]
    Adaptive,
    /// Never sleep: least latency, a whole core.
    Always,
}

impl PollMode {
    /// The mode that `word` names.
    pub fn from_name(word: &str) -> Option<PollMode> {
        match word {
            "never" => Some(PollMode::Never),
            "adaptive" => Some(PollMode::Adaptive),
            "always" => Some(PollMode::Always),
            _ => None,
        }
    }

    /// The word for options and reports.
    pub fn name(self) -> &'static str {
        match self {
            PollMode::Never => "never",
            PollMode::Adaptive => "adaptive",
            PollMode::Always => "always",
        }
    }
}

/// The longest spin of an adaptive core, by default, in nanoseconds: about what a sleep and a
/// wake-up cost.
pub(super) const SPIN_NS_MAX_DEFAULT: u64 = 50_000;

/// How a core is set up.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// The processor to pin the thread to.
    pub cpu: Option<usize>,
    /// The size and make of its memory.
    pub arena: ArenaConfig,
    /// Whether it spins when idle.
    pub poll_mode: PollMode,
    /// The longest spin before a sleep when adaptive, in nanoseconds.
    pub spin_ns_max: u64,
    /// Abilities of the kernel not to use.
    pub features_off: FeatureSet,
    /// A turn longer than this is reported as a stall, in nanoseconds; zero for never.
    pub stall_ns: u64,
}

impl Default for CoreConfig {
    fn default() -> Self {
        CoreConfig {
            cpu: None,
            arena: ArenaConfig::default(),
            poll_mode: PollMode::default(),
            spin_ns_max: SPIN_NS_MAX_DEFAULT,
            features_off: FeatureSet::NONE,
            stall_ns: 25_000_000,
        }
    }
}

/// The processors that this process may run on, in order, as they were when it first asked: a thread
/// that is pinned sees its own one alone. Empty where the kernel does not tell.
#[must_use]
pub fn processors() -> &'static [usize] {
    static ALL: OnceLock<Vec<usize>> = OnceLock::new();
    ALL.get_or_init(|| {
        let known = core_affinity::get_core_ids().unwrap_or_default();
        let mut all: Vec<_> = known.iter().map(|core| core.id).collect();
        all.sort_unstable();
        all
    })
}

impl CoreConfig {
    /// Pins the calling thread where the configuration says so.
    pub(crate) fn pin(&self) -> Result<(), SetupError> {
        let Some(cpu) = self.cpu else { return Ok(()) };
        // Only a processor that is there: the crate panics on numbers beyond the kernel's mask.
        let is_there = processors().contains(&cpu);
        if is_there && core_affinity::set_for_current(core_affinity::CoreId { id: cpu }) {
            return Ok(());
        }
        let most = processors().last().copied().unwrap_or(0);
        let remedy = format!("use a processor from 0 to {most} that this process may run on");
        Err(SetupError::new(
            format!("processor {cpu}"),
            "the thread cannot be pinned to it",
            remedy,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_is_not_there_is_an_error_and_no_panic() {
        for cpu in [1023, 1024, usize::MAX] {
            let config = CoreConfig { cpu: Some(cpu), ..CoreConfig::default() };
            let error = config.pin().unwrap_err().to_string();
            assert!(error.contains("use a processor from 0 to"), "{error}");
        }
    }
}

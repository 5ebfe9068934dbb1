//! The threads of all cores but the first, which is the process's own.

use byway_engine::core::{CoreConfig, PollMode};
use byway_engine::error::SetupError;
use byway_engine::memory::ArenaConfig;
use byway_engine::reactor::ReactorThread;

/// Memory is given to a core in pieces of this many bytes.
const PIECE_LEN: u64 = 2 << 20;

/// The cores that serve.
pub(crate) struct Cores {
    /// Their processors; where there is none, one core that the kernel places.
    pub(crate) cpus: Vec<usize>,
    /// Memory of all of them, in bytes.
    pub(crate) memory: u64,
    pub(crate) poll_mode: PollMode,
}

impl Cores {
    /// How each is set up; each has its share of the memory.
    pub(crate) fn configs(&self) -> Vec<CoreConfig> {
        self.configs_for(self.cpus.len().max(1))
    }

    /// The same for so many, of which some may have no processor of their own.
    pub(super) fn configs_for(&self, cores: usize) -> Vec<CoreConfig> {
        let share = self.memory / cores as u64 / PIECE_LEN * PIECE_LEN;
        let arena = ArenaConfig { len: share as usize, ..ArenaConfig::default() };
        let poll_mode = self.poll_mode;
        let one = |n: usize| {
            let cpu = self.cpus.get(n).copied();
            CoreConfig { cpu, arena, poll_mode, ..CoreConfig::default() }
        };
        (0..cores).map(one).collect()
    }
}

/// The threads of all cores but the first. Dropping it ends them.
pub(crate) struct Threads(Vec<ReactorThread>);

impl Threads {
    /// Starts one for each configuration after the first.
    pub(crate) fn start(configs: &[CoreConfig]) -> Result<Threads, SetupError> {
        let others = configs.iter().skip(1).cloned();
        Ok(Threads(others.map(ReactorThread::start).collect::<Result<_, _>>()?))
    }

    pub(super) fn all(&self) -> &[ReactorThread] {
        &self.0
    }
}

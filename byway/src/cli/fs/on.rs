//! A device that a command works on, and a core of this thread to do it.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use byway::{OpenOptions, open_with};
use byway_engine::block::BlockDevice;
use byway_engine::core::{Core, CoreConfig};
use byway_engine::memory::ArenaConfig;
use byway_engine::reactor::Reactor;
use byway_fs::dump::{DumpError, Walker};
use byway_fs::volume::{self, Refusal};

use crate::cli::failure::Failure;
use crate::cli::text;

/// Memory for the requests of a command, in bytes.
const ARENA_LEN: usize = 64 << 20;

/// Opens a device and runs `work` with it.
pub(crate) fn device<T: 'static, F>(
    word: &str,
    read_only: bool,
    work: impl FnOnce(Rc<Core>, Arc<dyn BlockDevice>) -> F,
) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>> + 'static,
{
    let device = open_with(&text::device_uri(word)?, OpenOptions { read_only })?;
    let arena = ArenaConfig { len: ARENA_LEN + device.memory_len(), ..ArenaConfig::default() };
    let reactor = Reactor::new(&CoreConfig { arena, ..CoreConfig::default() })?;
    reactor.run(|core| work(core, device))
}

/// Fails where a device carries a volume that somebody uses. One without a superblock, not even a
/// copy, is nobody's.
pub(super) async fn unused(core: &Rc<Core>, device: &Arc<dyn BlockDevice>) -> Result<(), Failure> {
    let uuid = match Walker::open(core, &**device).await {
        Ok(walker) => walker.superblock().uuid,
        Err(DumpError::Super(_)) => return Ok(()),
        Err(error) => return Err(named(device, error)),
    };
    match volume::unused(core, &**device, &uuid).await {
        // What cannot be read says nothing about a use; the command meets it by itself.
        Ok(()) | Err(Refusal::Io(_)) => Ok(()),
        Err(refusal) => Err(named(device, refusal)),
    }
}

/// A failure about a device.
pub(crate) fn named(device: &Arc<dyn BlockDevice>, error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("{}: {error}", device.info().name))
}

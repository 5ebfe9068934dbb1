//! Reads the configuration again: exports come and go, everything else stays as it is.
//!
//! A configuration that is wrong, or a device that cannot be opened, changes nothing. Exports that stay
//! keep their clients; one that changes is removed, and added again.

use std::path::Path;
use std::rc::Rc;
use std::sync::mpsc::{self, TryRecvError};

use byway::daemon::config::{Config, ExportSection};
use byway_engine::core::{Core, CoreConfig};
use byway_engine::error::SetupError;
use byway_engine::exec::Class;
use byway_engine::memory::ArenaConfig;
use byway_engine::reactor::ReactorThread;

use super::house::{House, sizes};
use super::open::{self, Devices};
use super::servers::{self, Running};
use crate::cli::config::read;

/// How often it is looked whether the devices are open, in nanoseconds.
const LOOK_NS: u64 = 10_000_000;
/// Memory of the thread that opens devices, in bytes.
const ARENA_LEN: usize = 2 << 20;

/// Does what the configuration says now; the log tells what that is.
pub(super) async fn reload(core: &Rc<Core>, house: &Rc<House>, file: &Path) {
    let config = match read(file) {
        Ok(Ok(config)) => config,
        Ok(Err(findings)) => {
            for finding in findings {
                tracing::error!("{}:{finding}", file.display());
            }
            tracing::error!("the configuration is wrong: everything stays as it is");
            return;
        }
        Err(failure) => {
            tracing::error!("{}", failure.line());
            return;
        }
    };
    let before = house.config.borrow().clone();
    if !is_same_otherwise(&before, &config) {
        tracing::warn!("only exports change by a reload: restart the daemon for the rest");
    }
    if let Err(error) = change(core, house, &before, &config).await {
        tracing::error!(%error, "not all exports are as the configuration says");
    }
}

async fn change(
    core: &Rc<Core>,
    house: &Rc<House>,
    before: &Config,
    after: &Config,
) -> Result<(), SetupError> {
    let stays = |one: &ExportSection, others: &[ExportSection]| {
        others.iter().any(|other| is_same(one, other))
    };
    let gone: Vec<_> = before.exports.iter().filter(|one| !stays(one, &after.exports)).collect();
    let new: Vec<_> =
        after.exports.iter().filter(|one| !stays(one, &before.exports)).cloned().collect();
    let devices = open_elsewhere(core, new.clone()).await?;
    for export in gone {
        remove(house, &export.name).await;
        house.config.borrow_mut().exports.retain(|one| one.name != export.name);
    }
    let exports = servers::exports(&new, &devices)?;
    house.sizes.borrow_mut().extend(sizes(&devices));
    house.devices.borrow_mut().extend(devices);
    for (section, export) in new.iter().zip(&exports) {
        for server in common_servers(house) {
            house.crew.add_export(server.id, export).await?;
        }
        let own = house.starter.of_export(section, &exports).await?;
        house.servers.borrow_mut().extend(own.map(Rc::new));
        house.config.borrow_mut().exports.push(section.clone());
        tracing::info!(export = section.name, "is served");
    }
    Ok(())
}

/// The servers that serve all exports.
fn common_servers(house: &House) -> Vec<Rc<Running>> {
    let servers = house.servers.borrow();
    servers.iter().filter(|server| server.only.is_none()).cloned().collect()
}

async fn remove(house: &Rc<House>, name: &str) {
    for server in common_servers(house) {
        house.crew.remove_export(server.id, name).await;
    }
    let is_own = |server: &Rc<Running>| server.only.as_deref() == Some(name);
    let own: Vec<_> = house.servers.borrow_mut().extract_if(.., |one| is_own(one)).collect();
    for server in own {
        house.crew.stop_server(server.id).await;
    }
    house.sizes.borrow_mut().remove(name);
    house.devices.borrow_mut().remove(name);
    tracing::info!(export = name, "is served no more");
}

/// Opens devices on a thread of their own: a device that lets one wait does not hold clients up.
async fn open_elsewhere(
    core: &Rc<Core>,
    sections: Vec<ExportSection>,
) -> Result<Devices, SetupError> {
    if sections.is_empty() {
        return Ok(Devices::new());
    }
    let arena = ArenaConfig { len: ARENA_LEN, huge: false };
    let thread = ReactorThread::start(CoreConfig { arena, ..CoreConfig::default() })?;
    let (to, from) = mpsc::channel();
    let opening = move |_core: Rc<Core>| async move {
        // Nobody waits any longer where the daemon has ended.
        let _not_needed = to.send(open::devices(&sections));
    };
    let busy = || SetupError::new("reload", "no thread opens the devices", "send SIGHUP again");
    thread.spawn(Class::Foreground, "open", opening).map_err(|_| busy())?;
    loop {
        match from.try_recv() {
            Ok(opened) => return opened,
            Err(TryRecvError::Disconnected) => return Err(busy()),
            Err(TryRecvError::Empty) => core.sleep(LOOK_NS).await,
        }
    }
}

/// The same export, wherever its lines are.
fn is_same(one: &ExportSection, other: &ExportSection) -> bool {
    let place = |export: &ExportSection| export.listen.as_ref().map(|l| (l.place.clone(), l.tls));
    one.name == other.name
        && one.uri.value == other.uri.value
        && one.description == other.description
        && one.read_only == other.read_only
        && place(one) == place(other)
}

/// Everything but the exports is the same, wherever its lines are.
fn is_same_otherwise(one: &Config, other: &Config) -> bool {
    let without_lines = |config: &Config| {
        let mut rest = config.clone();
        rest.exports.clear();
        rest.listens.iter_mut().for_each(|listen| listen.line = 0);
        let tls = rest.tls.take().map(|at| at.value);
        let targets: Vec<_> = rest.targets.drain(..).map(|target| target.name).collect();
        (rest.limits, rest.listens, targets, tls, rest.daemon.cores.value, rest.daemon.poll_mode)
    };
    without_lines(one) == without_lines(other)
}

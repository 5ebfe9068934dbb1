//! Stories of the target, told by a small initiator over loopback and over the simulation.

mod blocks;
mod hostile;
mod initiator;
mod libiscsi;
mod login;
mod many;
mod mischief;
mod reservations;
mod sessions;
mod simulated;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use byway_engine::block::BlockDevice;
use byway_engine::block::mem::MemDevice;
use byway_engine::core::{Core, CoreConfig, PollMode};
use byway_engine::memory::ArenaConfig;
use byway_engine::net::Address;
use byway_engine::reactor::Reactor;

use super::*;
use initiator::{Client, Who, connect, log_in};

const TARGET: &str = "iqn.2026-01.org.byway:test";
const ONE: &str = "iqn.2026-01.org.byway:one";
const TWO: &str = "iqn.2026-01.org.byway:two";

fn entropy() -> Entropy {
    let count = Cell::new(0u8);
    Rc::new(move |bytes: &mut [u8]| {
        for byte in bytes {
            count.set(count.get().wrapping_mul(5).wrapping_add(1));
            *byte = count.get();
        }
    })
}

fn mem(mib: u64) -> Arc<dyn BlockDevice> {
    Arc::new(MemDevice::new(mib << 20).unwrap())
}

/// A target with one logical unit on any free port of the loopback interface.
fn config_with(device: Arc<dyn BlockDevice>) -> TargetConfig {
    let mut config = TargetConfig::new(TARGET, entropy()).unwrap();
    config.portals.push(PortalConfig::new("127.0.0.1:0".parse().unwrap()));
    config.units.push(LunConfig::new(0, device, "S1"));
    config
}

fn config() -> TargetConfig {
    config_with(mem(64))
}

fn reactor(arena_mib: usize) -> Reactor {
    let arena = ArenaConfig { len: arena_mib << 20, huge: false };
    Reactor::new(&CoreConfig { arena, poll_mode: PollMode::Never, ..CoreConfig::default() })
        .unwrap()
}

/// Serves `config` and runs a story against it; then everything has to end well.
fn story<F: Future<Output = ()> + 'static>(
    config: TargetConfig,
    tell: impl FnOnce(Rc<Core>, Address) -> F + 'static,
) {
    story_in(64, config, tell);
}

fn story_in<F: Future<Output = ()> + 'static>(
    arena_mib: usize,
    mut config: TargetConfig,
    tell: impl FnOnce(Rc<Core>, Address) -> F + 'static,
) {
    config.limits.logout_ns = 50_000_000;
    reactor(arena_mib).run(|core| async move {
        let target = Target::start(&core, config).unwrap();
        let address = target.addresses()[0].clone();
        tell(Rc::clone(&core), address).await;
        target.stop().await;
    });
}

fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|n| (n as u8).wrapping_mul(31) ^ (n >> 8) as u8 ^ seed).collect()
}

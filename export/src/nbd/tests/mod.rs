//! Stories of the server, told by a small client over loopback and over the simulation.

mod blocks;
mod client;
mod cores;
mod hostile;
mod lifetime;
mod many;
mod rights;
mod succession;

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::block::BlockDevice;
use byway_engine::block::mem::MemDevice;
use byway_engine::core::{Core, CoreConfig, PollMode};
use byway_engine::memory::ArenaConfig;
use byway_engine::net::Address;
use byway_engine::reactor::Reactor;
use byway_proto::nbd::command::Command;
use byway_proto::nbd::errno::NbdErrno;
use byway_proto::nbd::flags::CommandFlags;

use super::*;
use client::{connect, connect_as, greet};

const NO_FLAGS: CommandFlags = CommandFlags::NONE;
const SECOND: u64 = 1_000_000_000;

fn mem(mib: u64) -> Arc<dyn BlockDevice> {
    Arc::new(MemDevice::new(mib << 20).unwrap())
}

/// A server with the export "a" on any free port of the loopback interface.
fn config() -> ServerConfig {
    let mut config = ServerConfig {
        listeners: vec![ListenOn::Address("127.0.0.1:0".parse().unwrap())],
        exports: vec![ExportConfig::new("a", mem(64))],
        ..ServerConfig::default()
    };
    config.limits.drain_ns = 50_000_000;
    config
}

/// Serves `config` and runs a story against it; then everything has to end well.
fn story<F: Future<Output = ()> + 'static>(
    config: ServerConfig,
    tell: impl FnOnce(Rc<Core>, Address, Rc<ServerHandle>) -> F + 'static,
) {
    let arena = ArenaConfig { len: 128 << 20, huge: false };
    let core = CoreConfig { arena, poll_mode: PollMode::Never, ..CoreConfig::default() };
    Reactor::new(&core).unwrap().run(|core| async move {
        let server = Rc::new(Server::start(&core, config).unwrap());
        let address = server.addresses()[0].clone();
        tell(Rc::clone(&core), address, Rc::clone(&server)).await;
        server.stop().await;
    });
}

fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|n| (n as u8).wrapping_mul(31) ^ (n >> 8) as u8 ^ seed).collect()
}

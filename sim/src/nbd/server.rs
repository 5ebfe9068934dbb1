//! The server of a run: its limits, its lives, and that nothing is left of its clients.

use std::rc::Rc;
use std::sync::Arc;

use byway_engine::core::Core;
use byway_engine::net::Address;
use byway_engine::sim::{PPM, Rng};
use byway_export::nbd::{
    ExportConfig, ListenOn, Server, ServerConfig, ServerHandle, ServerLimits, ServerStats,
};

use super::{NbdMutation, ServerMutation};
use crate::lab::Lab;
use crate::lab::look::arena_is_whole;

/// The export that clients use.
pub(super) const EXPORT: &str = "vm";
const MS: u64 = 1_000_000;
/// How often a server looks whether it is to stop, in nanoseconds.
const LOOK_NS: u64 = 20 * MS;
/// How long the last connections may take to end, in nanoseconds.
const LEAVE_NS: u64 = 30_000 * MS;

/// What every life of the server has in common.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) address: Address,
    pub(super) multi_conn: bool,
    pub(super) limits: ServerLimits,
    pub(super) mutation: Option<ServerMutation>,
}

impl Setup {
    pub(super) fn draw(address: Address, rng: &mut Rng, mutation: NbdMutation) -> Setup {
        let limits = ServerLimits {
            requests_max: rng.pick(&[1, 2, 16, 256]),
            connection_bytes_max: rng.pick(&[512, 16 << 10, 64 << 20]),
            stall_ns: rng.pick(&[100, 2_000]) * MS,
            handshake_ns: 2_000 * MS,
            drain_ns: rng.pick(&[50, 1_000, 5_000]) * MS,
            ..ServerLimits::default()
        };
        let mutation = match mutation {
            NbdMutation::Server(mutation) => Some(mutation),
            _ => None,
        };
        Setup { address, multi_conn: rng.chance(PPM * 3 / 4), limits, mutation }
    }

    /// One life of the host: the server stops and starts again where it is asked to, until all is
    /// over; then it is looked at.
    pub(super) async fn serve(self, core: Rc<Core>, lab: Rc<Lab>) {
        loop {
            let server = match self.start(&core, &lab) {
                Ok(server) => server,
                Err(words) => return lab.fail(words),
            };
            while !lab.asks_to_stop.take() && !lab.is_over.get() {
                core.sleep(LOOK_NS).await;
                if lab.is_idle.take() {
                    idle(&core, &lab, &server).await;
                }
            }
            if lab.is_over.get() {
                return self.end(&core, &lab, server).await;
            }
            server.stop().await;
        }
    }

    fn start(&self, core: &Rc<Core>, lab: &Rc<Lab>) -> Result<ServerHandle, String> {
        let export = ExportConfig::new(EXPORT, Arc::new(lab.witness.clone()));
        let config = ServerConfig {
            listeners: vec![ListenOn::Address(self.address.clone())],
            exports: vec![ExportConfig { multi_conn: self.multi_conn, ..export }],
            limits: self.limits,
            ..ServerConfig::default()
        };
        Server::start_broken(core, config, self.mutation).map_err(|error| error.to_string())
    }

    /// The clients are gone: nothing of them is left, and the server gives back what it took itself.
    async fn end(&self, core: &Rc<Core>, lab: &Rc<Lab>, server: ServerHandle) {
        let deadline = core.now() + LEAVE_NS;
        while !is_quiet(&server.stats()) && core.now() < deadline {
            core.sleep(LOOK_NS).await;
        }
        if !is_quiet(&server.stats()) {
            lab.fail(format!("clients left, and the server has still: {:?}", server.stats()));
        }
        server.stop().await;
        if let Err(words) = arena_is_whole(core) {
            lab.fail(format!("on the server's host, {words}"));
        }
        lab.server_ended.set(true);
    }
}

/// The clients that are here ask for nothing: requests of those that are gone end soon.
async fn idle(core: &Rc<Core>, lab: &Rc<Lab>, server: &ServerHandle) {
    let deadline = core.now() + LEAVE_NS;
    let is_idle = || server.stats().connections.iter().all(|connection| connection.requests == 0);
    while !is_idle() && core.now() < deadline {
        core.sleep(LOOK_NS).await;
    }
    if !is_idle() {
        lab.fail(format!("nobody asks, and the server has still: {:?}", server.stats()));
    }
    lab.server_is_idle.set(true);
}

fn is_quiet(stats: &ServerStats) -> bool {
    stats.served == 0 && stats.connections.is_empty()
}

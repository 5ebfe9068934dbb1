//! What a running daemon tells of itself: each core tells its part, and the parts are added up.

use byway::daemon::status::{
    ConnectionStatus, CoreStatus, DaemonStatus, ExportStatus, TargetStatus,
};
use byway_engine::core::{CoreCounters, within};
use byway_export::nbd::{ExportStats, ServerStats};
use futures_util::future::join_all;

use super::house::House;
use crate::cli::crew::{CoreFacts, GroupId, TargetFacts};

/// How long a core may take to tell its part, in nanoseconds; without it, the others' is told.
const ANSWER_NS: u64 = 1_000_000_000;

/// Everything, at this moment.
pub(super) async fn status(house: &House) -> DaemonStatus {
    for (export, device) in house.devices.borrow().iter() {
        if let Err(error) = device.rescan() {
            tracing::warn!(export, %error, "cannot ask for the size");
        }
    }
    let mut status = DaemonStatus {
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
        uptime_ns: house.core.now() - house.started_ns,
        ..DaemonStatus::default()
    };
    let parts = parts(house).await;
    let processors = house.config.borrow().daemon.cores.value.clone();
    for (number, part) in parts.iter().enumerate() {
        let processor = processors.get(number).copied();
        let mut core = CoreStatus { number, processor, ..CoreStatus::default() };
        if let Some(facts) = part {
            core.answers = true;
            count(&mut core, &facts.counters);
            add_servers(&mut status, &mut core, house, facts);
            status.targets.extend(facts.targets.iter().map(|target| of_target(target, number)));
        }
        status.cores.push(core);
    }
    order(&mut status, house);
    status
}

/// What each core tells; nothing of one that does not answer in time.
async fn parts(house: &House) -> Vec<Option<CoreFacts>> {
    let deadline = house.core.now() + ANSWER_NS;
    let ask = |number| async move {
        let asked = house.crew.ask(number, |station| async move { station.facts() });
        let told = within(&house.core, deadline, asked).await.flatten();
        if told.is_none() {
            tracing::warn!(number, "a core does not answer");
        }
        told
    };
    join_all((0..house.crew.len()).map(ask)).await
}

/// Exports and targets as the configuration has them, whichever core tells of them first.
fn order(status: &mut DaemonStatus, house: &House) {
    let config = house.config.borrow();
    let names: Vec<_> = config.targets.iter().map(|target| &target.name).collect();
    status.targets.sort_by_key(|target| names.iter().position(|name| **name == target.name));
}

/// The same as JSON.
pub(super) fn json(status: &DaemonStatus) -> String {
    serde_json::to_string(status).expect("a status is numbers and text")
}

fn add_servers(status: &mut DaemonStatus, core: &mut CoreStatus, house: &House, facts: &CoreFacts) {
    for (id, stats) in &facts.servers {
        for export in &stats.exports {
            let one = known(&mut status.exports, house, export);
            add_export(one, export, stats);
            if core.number == 0 {
                one.addresses.extend(addresses(house, *id));
            }
            core.requests += export.counts.requests;
        }
        status.accepted += stats.accepted;
        status.turned_away += stats.turned_away;
        core.connections += u64::from(stats.served);
        let of_core = |one: &byway_export::nbd::ConnectionStats| ConnectionStatus {
            export: one.export.clone(),
            peer: one.peer.clone(),
            core: core.number,
            in_flight: one.requests.into(),
            held_bytes: one.held_bytes,
            requests: one.counts.requests,
            errors: one.counts.errors,
        };
        status.connections.extend(stats.connections.iter().map(of_core));
    }
}

fn addresses(house: &House, id: GroupId) -> Vec<String> {
    let servers = house.servers.borrow();
    let server = servers.iter().find(|server| server.id == id);
    server.map_or_else(Vec::new, |one| one.addresses.iter().map(ToString::to_string).collect())
}

/// An export that several servers and cores serve is one export.
fn known<'a>(
    all: &'a mut Vec<ExportStatus>,
    house: &House,
    export: &ExportStats,
) -> &'a mut ExportStatus {
    let known = all.iter().position(|one| one.name == export.name);
    let at = known.unwrap_or_else(|| {
        all.push(ExportStatus {
            name: export.name.clone(),
            device: export.device.clone(),
            size: export.size,
            size_at_start: house.sizes.borrow().get(&export.name).copied().unwrap_or(export.size),
            read_only: export.read_only,
            ..ExportStatus::default()
        });
        all.len() - 1
    });
    &mut all[at]
}

fn add_export(one: &mut ExportStatus, export: &ExportStats, stats: &ServerStats) {
    let counts = &export.counts;
    one.connections += export.connections as u64;
    one.has_right |= export.has_right;
    one.requests += counts.requests;
    one.errors += counts.errors;
    one.read_bytes += counts.read_bytes;
    one.written_bytes += counts.written_bytes;
    one.flushes += counts.flushes;
    one.latency_ns += counts.latency_ns;
    one.latency.resize(counts.latency.len(), 0);
    one.latency.iter_mut().zip(&counts.latency).for_each(|(sum, count)| *sum += count);
    let own = stats.connections.iter().filter(|connection| connection.export == export.name);
    one.in_flight += own.map(|connection| u64::from(connection.requests)).sum::<u64>();
}

fn of_target(target: &TargetFacts, core: usize) -> TargetStatus {
    let mut status = TargetStatus {
        name: target.name.clone(),
        addresses: target.addresses.iter().map(ToString::to_string).collect(),
        core,
        ..TargetStatus::default()
    };
    for session in &target.sessions {
        status.sessions += 1;
        status.commands += session.counts.commands;
        status.errors += session.counts.failed;
        status.in_flight += session.tasks as u64;
        status.read_bytes += session.counts.read_bytes;
        status.written_bytes += session.counts.written_bytes;
    }
    status
}

fn count(core: &mut CoreStatus, counters: &CoreCounters) {
    core.turns = counters.turns;
    core.syscalls = counters.syscalls;
    core.polls_hit = counters.polls_hit;
    core.polls_empty = counters.polls_empty;
    core.sleeps = counters.sleeps;
    core.task_polls = counters.task_polls;
}

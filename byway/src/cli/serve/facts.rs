//! What a running daemon tells of itself.

use byway::daemon::status::{
    ConnectionStatus, DaemonStatus, ExportStatus, ReactorStatus, TargetStatus,
};
use byway_export::iscsi::TargetHandle;
use byway_export::nbd::{ExportStats, ServerStats};

use super::house::House;

/// Everything, at this moment.
pub(super) fn status(house: &House) -> DaemonStatus {
    for (export, device) in house.devices.borrow().iter() {
        if let Err(error) = device.rescan() {
            tracing::warn!(export, %error, "cannot ask for the size");
        }
    }
    let mut status = DaemonStatus {
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
        uptime_ns: house.core.now() - house.started_ns,
        targets: house.targets.iter().map(|(name, target)| of_target(name, target)).collect(),
        reactor: reactor(house),
        ..DaemonStatus::default()
    };
    for server in house.servers.borrow().iter() {
        let stats = server.handle.stats();
        let addresses: Vec<_> = server.handle.addresses().iter().map(ToString::to_string).collect();
        for export in &stats.exports {
            add_export(&mut status.exports, house, export, &addresses, &stats);
        }
        status.accepted += stats.accepted;
        status.turned_away += stats.turned_away;
        status.connections.extend(stats.connections.into_iter().map(|one| ConnectionStatus {
            export: one.export,
            peer: one.peer,
            in_flight: one.requests.into(),
            held_bytes: one.held_bytes,
            requests: one.counts.requests,
            errors: one.counts.errors,
        }));
    }
    status
}

/// The same as JSON.
pub(super) fn json(house: &House) -> String {
    serde_json::to_string(&status(house)).expect("a status is numbers and text")
}

/// An export that several servers serve is one export.
fn add_export(
    all: &mut Vec<ExportStatus>,
    house: &House,
    export: &ExportStats,
    addresses: &[String],
    stats: &ServerStats,
) {
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
    let (one, counts) = (&mut all[at], &export.counts);
    one.addresses.extend_from_slice(addresses);
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

fn of_target(name: &str, target: &TargetHandle) -> TargetStatus {
    let mut status = TargetStatus {
        name: name.to_owned(),
        addresses: target.addresses().iter().map(ToString::to_string).collect(),
        ..TargetStatus::default()
    };
    for session in target.sessions() {
        status.sessions += 1;
        status.commands += session.counts.commands;
        status.errors += session.counts.failed;
        status.in_flight += session.tasks as u64;
        status.read_bytes += session.counts.read_bytes;
        status.written_bytes += session.counts.written_bytes;
    }
    status
}

fn reactor(house: &House) -> ReactorStatus {
    let counters = house.core.counters();
    ReactorStatus {
        turns: counters.turns,
        syscalls: counters.syscalls,
        polls_hit: counters.polls_hit,
        polls_empty: counters.polls_empty,
        sleeps: counters.sleeps,
        task_polls: counters.task_polls,
    }
}

//! What a daemon tells of itself: as JSON over its control socket, as metrics, and as a table.

use serde::{Deserialize, Serialize};

use super::metrics::{CONTENT_TYPE, Kind, Metrics};

/// The path of the status at the control socket.
pub const STATUS_PATH: &str = "/status";
/// The path of the metrics.
pub const METRICS_PATH: &str = "/metrics";
/// What the metrics consist of.
pub const METRICS_TYPE: &str = CONTENT_TYPE;
/// The first and the last bound of latencies that are told, as powers of two nanoseconds: 1 µs, 8.6 s.
const BOUNDS: std::ops::RangeInclusive<usize> = 10..=33;

/// A daemon at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// For how long it has served, in nanoseconds.
    pub uptime_ns: u64,
    /// The NBD exports.
    pub exports: Vec<ExportStatus>,
    /// NBD connections.
    pub connections: Vec<ConnectionStatus>,
    /// NBD connections that were accepted since the start.
    pub accepted: u64,
    /// NBD connections that were turned away since the start: there were too many.
    pub turned_away: u64,
    /// The iSCSI targets.
    pub targets: Vec<TargetStatus>,
    /// The cores, by number.
    pub cores: Vec<CoreStatus>,
}

/// One NBD export.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExportStatus {
    /// The name that clients ask for.
    pub name: String,
    /// What the device calls itself.
    pub device: String,
    /// Where clients reach it.
    pub addresses: Vec<String>,
    /// Bytes, as a client that comes now sees them.
    pub size: u64,
    /// Bytes when it was opened: what its oldest clients see.
    pub size_at_start: u64,
    /// Nothing may be written.
    pub read_only: bool,
    /// Connections.
    pub connections: u64,
    /// Whether the daemon holds the right to write.
    pub has_right: bool,
    /// Requests that were answered.
    pub requests: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Requests under way.
    pub in_flight: u64,
    /// Bytes that clients read.
    pub read_bytes: u64,
    /// Bytes that clients wrote.
    pub written_bytes: u64,
    /// Flushes.
    pub flushes: u64,
    /// Requests by latency: the n-th below 2 to the n nanoseconds.
    pub latency: Vec<u64>,
    /// All latencies together, in nanoseconds.
    pub latency_ns: u64,
}

/// One NBD connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConnectionStatus {
    /// Its export.
    pub export: String,
    /// Who is on the other side.
    pub peer: String,
    /// The number of the core that serves it.
    pub core: usize,
    /// Requests under way.
    pub in_flight: u64,
    /// Bytes of data that it holds.
    pub held_bytes: u64,
    /// Requests that were answered.
    pub requests: u64,
    /// Requests that failed.
    pub errors: u64,
}

/// One iSCSI target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetStatus {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub addresses: Vec<String>,
    /// The number of the core that runs it.
    pub core: usize,
    /// Sessions.
    pub sessions: u64,
    /// Commands of the sessions that are there.
    pub commands: u64,
    /// Commands of theirs that failed.
    pub errors: u64,
    /// Commands under way.
    pub in_flight: u64,
    /// Bytes that they read.
    pub read_bytes: u64,
    /// Bytes that they wrote.
    pub written_bytes: u64,
}

/// One core, and the reactor on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CoreStatus {
    /// Its number, from 0 on, in the order of the configuration.
    pub number: usize,
    /// The processor it is pinned to.
    pub processor: Option<usize>,
    /// Whether it answered in time; if not, what it serves is missing from all sums.
    pub answers: bool,
    /// NBD connections that it serves, those in their handshake included.
    pub connections: u64,
    /// NBD requests that it answered, of the exports that are there.
    pub requests: u64,
    /// Turns of its loop.
    pub turns: u64,
    /// System calls for input and output.
    pub syscalls: u64,
    /// Turns that found something done.
    pub polls_hit: u64,
    /// Turns that found nothing.
    pub polls_empty: u64,
    /// Times it went to sleep.
    pub sleeps: u64,
    /// Polls of tasks.
    pub task_polls: u64,
}

impl DaemonStatus {
    /// Everything that can be counted, in Prometheus' text format.
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut page = Metrics::new();
        page.family("byway_info", Kind::Gauge, "The version that runs.")
            .sample(&[("version", &self.version)], 1);
        let help = "Nanoseconds since the start.";
        page.family("byway_uptime_nanoseconds", Kind::Gauge, help).sample(&[], self.uptime_ns);
        self.exports_to(&mut page);
        let help = "NBD connections that were accepted.";
        let name = "byway_nbd_connections_accepted_total";
        page.family(name, Kind::Counter, help).sample(&[], self.accepted);
        let help = "NBD connections that were turned away because there were too many.";
        let name = "byway_nbd_connections_refused_total";
        page.family(name, Kind::Counter, help).sample(&[], self.turned_away);
        self.targets_to(&mut page);
        self.cores_to(&mut page);
        page.into_text()
    }

    fn exports_to(&self, page: &mut Metrics) {
        type Value = fn(&ExportStatus) -> u64;
        let families: [(&'static str, Kind, &str, Value); 9] = [
            ("byway_nbd_size_bytes", Kind::Gauge, "Bytes of the export.", |e| e.size),
            ("byway_nbd_connections", Kind::Gauge, "Connections.", |e| e.connections),
            ("byway_nbd_in_flight", Kind::Gauge, "Requests under way.", |e| e.in_flight),
            ("byway_nbd_write_right", Kind::Gauge, "1 while it may be written from here.", |e| {
                u64::from(e.has_right)
            }),
            ("byway_nbd_requests_total", Kind::Counter, "Requests answered.", |e| e.requests),
            ("byway_nbd_errors_total", Kind::Counter, "Requests that failed.", |e| e.errors),
            ("byway_nbd_read_bytes_total", Kind::Counter, "Bytes read.", |e| e.read_bytes),
            ("byway_nbd_written_bytes_total", Kind::Counter, "Bytes written.", |e| e.written_bytes),
            ("byway_nbd_flushes_total", Kind::Counter, "Flushes.", |e| e.flushes),
        ];
        for (name, kind, help, value) in families {
            let mut family = page.family(name, kind, help);
            for export in &self.exports {
                family.sample(&[("export", &export.name)], value(export));
            }
        }
        let help = "From the arrival of a request to the end of its work.";
        let mut family = page.family("byway_nbd_latency_seconds", Kind::Histogram, help);
        for export in &self.exports {
            let all = export.latency.iter().sum();
            let below = |power: usize| export.latency.iter().take(power + 1).sum();
            let buckets: Vec<_> = BOUNDS.map(|power| (1u64 << power, below(power))).collect();
            family.histogram(&[("export", &export.name)], &buckets, all, export.latency_ns);
        }
    }

    fn targets_to(&self, page: &mut Metrics) {
        type Value = fn(&TargetStatus) -> u64;
        // Sessions take their counts along when they end, so these are no counters.
        let families: [(&'static str, &str, Value); 6] = [
            ("byway_iscsi_sessions", "Sessions.", |t| t.sessions),
            ("byway_iscsi_in_flight", "Commands under way.", |t| t.in_flight),
            ("byway_iscsi_commands", "Commands of the sessions that are there.", |t| t.commands),
            ("byway_iscsi_errors", "Commands of theirs that failed.", |t| t.errors),
            ("byway_iscsi_read_bytes", "Bytes that they read.", |t| t.read_bytes),
            ("byway_iscsi_written_bytes", "Bytes that they wrote.", |t| t.written_bytes),
        ];
        for (name, help, value) in families {
            let mut family = page.family(name, Kind::Gauge, help);
            for target in &self.targets {
                family.sample(&[("target", &target.name)], value(target));
            }
        }
    }

    fn cores_to(&self, page: &mut Metrics) {
        type Value = fn(&CoreStatus) -> u64;
        let families: [(&'static str, Kind, &str, Value); 9] = [
            ("byway_core_up", Kind::Gauge, "1 where the core answers.", |c| c.answers.into()),
            ("byway_core_connections", Kind::Gauge, "NBD connections.", |c| c.connections),
            ("byway_core_requests", Kind::Gauge, "NBD requests of exports here.", |c| c.requests),
            ("byway_reactor_turns_total", Kind::Counter, "Turns of the loop.", |c| c.turns),
            ("byway_reactor_syscalls_total", Kind::Counter, "System calls for I/O.", |c| {
                c.syscalls
            }),
            ("byway_reactor_polls_hit_total", Kind::Counter, "Turns with something done.", |c| {
                c.polls_hit
            }),
            ("byway_reactor_polls_empty_total", Kind::Counter, "Turns with nothing done.", |c| {
                c.polls_empty
            }),
            ("byway_reactor_sleeps_total", Kind::Counter, "Times it slept.", |c| c.sleeps),
            ("byway_reactor_task_polls_total", Kind::Counter, "Polls of tasks.", |c| c.task_polls),
        ];
        for (name, kind, help, value) in families {
            let mut family = page.family(name, kind, help);
            // Counters of a core that does not answer are not known; they have not gone back to 0.
            let known = |core: &&CoreStatus| core.answers || name == "byway_core_up";
            for core in self.cores.iter().filter(known) {
                family.sample(&[("core", &core.number.to_string())], value(core));
            }
        }
    }
}

impl ExportStatus {
    /// The latency that `share` (0 to 1) of the requests do not exceed, in nanoseconds, rounded up to
    /// a power of two.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let all: u64 = self.latency.iter().sum();
        let wanted = (all as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        let found = self.latency.iter().take(63).position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map(|power| 1 << power)
    }

    /// What a running QEMU has to be told after a change of size, as lines of QMP; empty where the
    /// size is what it was. NBD has no message for it, and QEMU asks only when it connects: it gets a
    /// second connection, exchanges the first for it below the format, and looks at the size again.
    #[must_use]
    pub fn qemu_after_resize(&self) -> Vec<String> {
        if self.size == self.size_at_start {
            return Vec::new();
        }
        let server = self.addresses.first().map_or(serde_json::json!({}), |at| server_of(at));
        let lines = [
            serde_json::json!({"execute": "blockdev-add", "arguments": {
                "driver": "nbd", "node-name": "NEW-NBD-NODE", "server": server,
                "export": self.name, "read-only": self.read_only}}),
            serde_json::json!({"execute": "blockdev-reopen", "arguments": {"options": [{
                "driver": "raw", "node-name": "FORMAT-NODE", "file": "NEW-NBD-NODE",
                "read-only": self.read_only}]}}),
            serde_json::json!({"execute": "block_resize", "arguments": {
                "node-name": "FORMAT-NODE", "size": self.size}}),
            serde_json::json!({"execute": "blockdev-del", "arguments": {
                "node-name": "OLD-NBD-NODE"}}),
        ];
        lines.iter().map(ToString::to_string).collect()
    }
}

/// An address as QEMU's `SocketAddress` has it.
fn server_of(address: &str) -> serde_json::Value {
    if let Some(path) = address.strip_prefix("unix:") {
        return serde_json::json!({"type": "unix", "path": path});
    }
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "10809"));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    serde_json::json!({"type": "inet", "host": host, "port": port})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export() -> ExportStatus {
        let mut latency = vec![0; 40];
        (latency[12], latency[39]) = (99, 1);
        ExportStatus {
            name: "disk".into(),
            addresses: vec!["unix:/run/byway/nbd.sock".into()],
            size: 2 << 30,
            size_at_start: 1 << 30,
            requests: 100,
            latency,
            latency_ns: 5_000,
            ..ExportStatus::default()
        }
    }

    #[test]
    fn a_status_reads_back_and_becomes_metrics() {
        let cores = [(0, true, 7), (1, false, 0)].map(|(number, answers, turns)| CoreStatus {
            number,
            answers,
            turns,
            ..CoreStatus::default()
        });
        let (exports, cores) = (vec![export()], cores.to_vec());
        let status = DaemonStatus { exports, cores, ..DaemonStatus::default() };
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<DaemonStatus>(&text).unwrap(), status);
        let page = status.metrics();
        for line in [
            "byway_nbd_requests_total{export=\"disk\"} 100",
            "byway_nbd_latency_seconds_bucket{export=\"disk\",le=\"0.000002048\"} 0",
            "byway_nbd_latency_seconds_bucket{export=\"disk\",le=\"0.000004096\"} 99",
            "byway_nbd_latency_seconds_bucket{export=\"disk\",le=\"+Inf\"} 100",
            "byway_nbd_latency_seconds_sum{export=\"disk\"} 0.000005",
            "byway_reactor_turns_total{core=\"0\"} 7",
            "byway_core_up{core=\"1\"} 0",
        ] {
            assert!(page.lines().any(|one| one == line), "{line} is not in\n{page}");
        }
        assert!(!page.contains("turns_total{core=\"1\"}"), "what is not known is not told");
        let types: Vec<_> = page.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let mut once = types.clone();
        once.dedup();
        assert_eq!(types, once, "each family is there once");
    }

    #[test]
    fn qemu_is_told_a_new_size_only_where_there_is_one() {
        let lines = export().qemu_after_resize();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].contains("\"path\":\"/run/byway/nbd.sock\""), "{}", lines[0]);
        assert!(lines[2].contains("2147483648"), "{}", lines[2]);
        let same = ExportStatus { size_at_start: 2 << 30, ..export() };
        assert!(same.qemu_after_resize().is_empty());
        assert_eq!(server_of("[::1]:10809")["host"], "::1");
        assert_eq!(export().quantile(0.5), Some(4096));
    }
}

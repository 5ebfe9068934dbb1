//! What the rounds say: medians, ratios with their intervals, and whether a target is met.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{Contender, Engine, Figures, Server};
use crate::machine::Machine;
use crate::report::show_count;
use crate::stats::{Estimate, median, median_estimate};
use crate::words::{WordError, show_ns};

/// Fewer rounds say too little.
pub const ROUNDS_MIN: u32 = 5;
/// The name of the smallest loop.
pub const CEILING_NAME: &str = "ceiling";
/// The name of the server that does no work: what the socket itself can do.
pub const SOCKET_NAME: &str = "socket";
/// The smallest loop counts as a ceiling where it is this much faster than the best known program
/// for the same work.
const CEILING_RATIOS: [(&str, f64); 2] =
    [(Engine::Uring.name(), 1.10), (super::LIBISCSI_NAME, 1.25)];

/// One program and its rounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerRow {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its whole command line.
    pub command: String,
    /// The command line of the client, where the program is a server.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub client: String,
    /// Each round.
    pub rounds: Vec<Figures>,
    /// The median of operations per second.
    pub iops: f64,
    /// The median of processor time for each operation, in nanoseconds.
    pub cpu_ns_per_io: f64,
    /// The median of system calls for each operation; zero where nobody counts them.
    #[serde(default)]
    pub syscalls_per_io: f64,
    /// Ours over theirs in operations per second; none in our own row.
    pub iops_ratio: Option<Estimate>,
    /// Ours over theirs in processor time; none in our own row.
    pub cpu_ratio: Option<Estimate>,
    /// The median of the client's processor time for each operation, in nanoseconds; zero where the
    /// program is no server.
    #[serde(default)]
    pub client_cpu_ns_per_io: f64,
    /// The medians of the rounds' 50th and 99th percentiles in nanoseconds; zero where they were not
    /// measured.
    #[serde(default)]
    pub p50_ns: f64,
    /// See `p50_ns`.
    #[serde(default)]
    pub p99_ns: f64,
    /// Ours over theirs in the 50th and 99th percentile; none in our own row.
    #[serde(default)]
    pub p50_ratio: Option<Estimate>,
    /// See `p50_ratio`.
    #[serde(default)]
    pub p99_ratio: Option<Estimate>,
}

/// A whole measurement; the first row is ours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeersResult {
    /// The programs.
    pub rows: Vec<PeerRow>,
    /// Where it ran.
    pub machine: Machine,
}

/// A ratio to reach, against one peer or against each.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The peer's name; none for each.
    pub peer: Option<String>,
    /// The ratio, ours over theirs.
    pub ratio: f64,
    /// What the ratio is of.
    pub measure: Measure,
}

/// What can be compared. Operations per second are to be at least a ratio, costs and times at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Operations per second.
    Iops,
    /// Processor time.
    Cpu,
    /// The median latency.
    P50,
    /// The 99th percentile.
    P99,
}

impl Measure {
    const AT_MOST: [(&str, Measure); 3] =
        [("cpu:", Measure::Cpu), ("p50:", Measure::P50), ("p99:", Measure::P99)];

    fn of(self, row: &PeerRow) -> Option<Estimate> {
        match self {
            Measure::Iops => row.iops_ratio,
            Measure::Cpu => row.cpu_ratio,
            Measure::P50 => row.p50_ratio,
            Measure::P99 => row.p99_ratio,
        }
    }
}

/// Reads `1.08`, `fio-io_uring=1.08`, `cpu:0.9`, `cpu:fio-io_uring=0.9`, and p50: and p99: as cpu:.
pub fn target(word: &str) -> Result<Target, WordError> {
    let with = |&(mark, measure)| Some((word.strip_prefix(mark)?, measure));
    let (rest, measure) = Measure::AT_MOST.iter().find_map(with).unwrap_or((word, Measure::Iops));
    let (peer, number) = rest.split_once('=').map_or((None, rest), |(p, n)| (Some(p), n));
    let ratio = number.parse::<f64>().ok().filter(|r| *r > 0.0 && r.is_finite());
    let ratio = ratio.ok_or_else(|| {
        WordError::new(
            format!("'{word}'"),
            "not a ratio",
            "write 1.08, fio-io_uring=1.08, cpu:0.9 or p99:1.0",
        )
    })?;
    Ok(Target { peer: peer.map(str::to_owned), ratio, measure })
}

impl Target {
    /// The rows that the target is about.
    pub fn rows<'a>(&'a self, result: &'a PeersResult) -> impl Iterator<Item = &'a PeerRow> {
        let about = |row: &&PeerRow| match &self.peer {
            Some(name) => row.name == *name,
            None => ![CEILING_NAME, SOCKET_NAME].contains(&row.name.as_str()),
        };
        result.rows.iter().skip(1).filter(about)
    }

    /// True where the whole interval of the row is on the good side of the ratio.
    pub fn is_met_by(&self, row: &PeerRow) -> bool {
        self.measure.of(row).is_some_and(|ratio| match self.measure {
            Measure::Iops => ratio.low >= self.ratio,
            Measure::Cpu | Measure::P50 | Measure::P99 => ratio.high <= self.ratio,
        })
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (bound, what) = match self.measure {
            Measure::Iops => ("least", "IOPS"),
            Measure::Cpu => ("most", "cpu"),
            Measure::P50 => ("most", "p50"),
            Measure::P99 => ("most", "p99"),
        };
        write!(f, "of at {bound} {:.2} in {what}", self.ratio)
    }
}

impl PeersResult {
    pub(super) fn of(all: &[Contender], figures: &[Vec<Figures>], machine: Machine) -> PeersResult {
        let ours = figures.first().map_or(&[][..], Vec::as_slice);
        let row = |(index, (contender, rounds)): (usize, (&Contender, &Vec<Figures>))| {
            let ratio = |figure: fn(&Figures) -> f64| {
                let pairs = ours.iter().zip(rounds).filter(|(o, t)| figure(o).min(figure(t)) > 0.0);
                let ratios: Vec<_> = pairs.map(|(o, t)| figure(o) / figure(t)).collect();
                median_estimate(&ratios).filter(|_| index > 0)
            };
            let middle = |figure: fn(&Figures) -> f64| {
                median(&rounds.iter().map(figure).collect::<Vec<_>>())
            };
            PeerRow {
                name: contender.name.clone(),
                version: contender.version.clone(),
                command: contender.server.as_ref().map_or(contender.command(), Server::command),
                client: contender.server.as_ref().map(|_| contender.command()).unwrap_or_default(),
                rounds: rounds.clone(),
                iops: middle(|f| f.iops),
                cpu_ns_per_io: middle(|f| f.cpu_ns_per_io),
                syscalls_per_io: middle(|f| f.syscalls_per_io),
                iops_ratio: ratio(|f| f.iops),
                cpu_ratio: ratio(|f| f.cpu_ns_per_io),
                client_cpu_ns_per_io: middle(|f| f.client_cpu_ns_per_io),
                p50_ns: middle(|f| f.p50_ns as f64),
                p99_ns: middle(|f| f.p99_ns as f64),
                p50_ratio: ratio(|f| f.p50_ns as f64),
                p99_ratio: ratio(|f| f.p99_ns as f64),
            }
        };
        PeersResult { rows: all.iter().zip(figures).enumerate().map(row).collect(), machine }
    }

    /// Whether the smallest loop is fast enough to be called a ceiling; none without it.
    pub fn ceiling_counts(&self) -> Option<bool> {
        let iops = |name: &str| self.rows.iter().find(|row| row.name == name).map(|row| row.iops);
        let ceiling = iops(CEILING_NAME)?;
        let judge = |(name, ratio)| Some(ceiling >= iops(name)? * ratio);
        CEILING_RATIOS.into_iter().find_map(judge)
    }
}

/// The measurement for people, with a verdict for each target.
pub fn peers_table(result: &PeersResult, targets: &[Target]) -> String {
    let mut text = String::new();
    for row in &result.rows {
        let _ = writeln!(text, "{} ({}):\n  {}", row.name, row.version, row.command);
        if !row.client.is_empty() {
            let _ = writeln!(text, "  driven by {}", row.client);
        }
    }
    let serves = result.rows.iter().any(|row| !row.client.is_empty());
    let _ = writeln!(
        text,
        "\n{:<19} {:>6} {:>10} {:>10} {:>8}   {:<24} {:<24} {:<24}",
        "program",
        "rounds",
        "IOPS",
        "cpu/op",
        "calls/op",
        "ours/theirs IOPS (95 %)",
        "ours/theirs cpu (95 %)",
        "IOPS per cpu second"
    );
    result.rows.iter().for_each(|row| put_row(&mut text, row));
    if result.rows.iter().any(|row| row.p99_ns > 0.0) {
        put_latencies(&mut text, result);
    }
    text.push_str(match result.ceiling_counts() {
        None if serves => "",
        Some(true) => "",
        Some(false) => {
            "the smallest loop is not fast enough here to be a ceiling: 1.10 times fio's \
            io_uring, 1.25 times libiscsi\n"
        }
        None => "no ceiling: the smallest loop and a program to hold it against did not both run\n",
    });
    for target in targets {
        for row in target.rows(result) {
            let verdict = if target.is_met_by(row) { "met" } else { "NOT met" };
            let _ = writeln!(text, "target {target} against {}: {verdict}", row.name);
        }
    }
    text
}

fn put_row(text: &mut String, row: &PeerRow) {
    let calls = match row.syscalls_per_io {
        0.0 => "-".to_owned(),
        calls => format!("{calls:.3}"),
    };
    let _ = writeln!(
        text,
        "{:<19} {:>6} {:>10} {:>10} {calls:>8}   {:<24} {:<24} {:<24}",
        row.name,
        row.rounds.len(),
        show_count(row.iops),
        show_ns(row.cpu_ns_per_io),
        show(row.iops_ratio),
        show(row.cpu_ratio),
        show(row.cpu_ratio.map(inverse))
    );
}

/// Latencies, and what a server costs its client.
fn put_latencies(text: &mut String, result: &PeersResult) {
    let _ = writeln!(
        text,
        "\n{:<19} {:>10} {:>10} {:>10}   {:<24} {:<24}",
        "program", "p50", "p99", "client cpu", "ours/theirs p50 (95 %)", "ours/theirs p99 (95 %)"
    );
    for row in &result.rows {
        let client = match row.client_cpu_ns_per_io {
            0.0 => "-".to_owned(),
            ns => show_ns(ns),
        };
        let (p50, p99) = (show_ns(row.p50_ns), show_ns(row.p99_ns));
        let (median, tail) = (show(row.p50_ratio), show(row.p99_ratio));
        let name = &row.name;
        let _ =
            writeln!(text, "{name:<19} {p50:>10} {p99:>10} {client:>10}   {median:<24} {tail:<24}");
    }
}

fn show(ratio: Option<Estimate>) -> String {
    ratio.map_or("-".to_owned(), |ratio| {
        format!("{:.3} ({:.3} to {:.3})", ratio.value, ratio.low, ratio.high)
    })
}

/// Of a cost: what the same cost buys. The ends of the interval change places.
fn inverse(ratio: Estimate) -> Estimate {
    let of = |value: f64| if value > 0.0 { 1.0 / value } else { f64::INFINITY };
    Estimate { value: of(ratio.value), low: of(ratio.high), high: of(ratio.low) }
}

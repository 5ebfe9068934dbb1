//! What the rounds say: medians, ratios with their intervals, and whether a target is met.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{Contender, Engine, Figures};
use crate::machine::Machine;
use crate::report::show_count;
use crate::stats::{Estimate, median, median_estimate};
use crate::words::{WordError, show_ns};

/// Fewer rounds say too little.
pub const ROUNDS_MIN: u32 = 5;
/// The name of the smallest loop.
pub const CEILING_NAME: &str = "ceiling";
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
    /// About processor time, which is to be at most this; else operations per second, at least.
    pub cpu: bool,
}

/// Reads `1.08`, `fio-io_uring=1.08`, `cpu:0.9` or `cpu:fio-io_uring=0.9`.
pub fn target(word: &str) -> Result<Target, WordError> {
    let (rest, cpu) = word.strip_prefix("cpu:").map_or((word, false), |rest| (rest, true));
    let (peer, number) = rest.split_once('=').map_or((None, rest), |(p, n)| (Some(p), n));
    let ratio = number.parse::<f64>().ok().filter(|r| *r > 0.0 && r.is_finite());
    let ratio = ratio.ok_or_else(|| {
        WordError::new(
            format!("'{word}'"),
            "not a ratio",
            "write 1.08, fio-io_uring=1.08 or cpu:0.9",
        )
    })?;
    Ok(Target { peer: peer.map(str::to_owned), ratio, cpu })
}

impl Target {
    /// The rows that the target is about.
    pub fn rows<'a>(&'a self, result: &'a PeersResult) -> impl Iterator<Item = &'a PeerRow> {
        let about = |row: &&PeerRow| match &self.peer {
            Some(name) => row.name == *name,
            None => row.name != CEILING_NAME,
        };
        result.rows.iter().skip(1).filter(about)
    }

    /// True where the whole interval of the row is on the good side of the ratio.
    pub fn is_met_by(&self, row: &PeerRow) -> bool {
        if self.cpu {
            return row.cpu_ratio.is_some_and(|ratio| ratio.high <= self.ratio);
        }
        row.iops_ratio.is_some_and(|ratio| ratio.low >= self.ratio)
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.cpu {
            true => write!(f, "of at most {:.2} in cpu", self.ratio),
            false => write!(f, "of at least {:.2} in IOPS", self.ratio),
        }
    }
}

impl PeersResult {
    pub(super) fn of(all: &[Contender], figures: &[Vec<Figures>], machine: Machine) -> PeersResult {
        let ours = figures.first().map_or(&[][..], Vec::as_slice);
        let row = |(index, (contender, rounds)): (usize, (&Contender, &Vec<Figures>))| {
            let ratio = |figure: fn(&Figures) -> f64| {
                let pairs = ours.iter().zip(rounds).filter(|(_, theirs)| figure(theirs) > 0.0);
                let ratios: Vec<_> = pairs.map(|(o, t)| figure(o) / figure(t)).collect();
                median_estimate(&ratios).filter(|_| index > 0)
            };
            let middle = |figure: fn(&Figures) -> f64| {
                median(&rounds.iter().map(figure).collect::<Vec<_>>())
            };
            PeerRow {
                name: contender.name.clone(),
                version: contender.version.clone(),
                command: contender.command(),
                rounds: rounds.clone(),
                iops: middle(|f| f.iops),
                cpu_ns_per_io: middle(|f| f.cpu_ns_per_io),
                syscalls_per_io: middle(|f| f.syscalls_per_io),
                iops_ratio: ratio(|f| f.iops),
                cpu_ratio: ratio(|f| f.cpu_ns_per_io),
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
    }
    let _ = writeln!(
        text,
        "\n{:<14} {:>6} {:>10} {:>10} {:>8}   {:<24} {:<24} {:<24}",
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
    text.push_str(match result.ceiling_counts() {
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
    let show = |ratio: Option<Estimate>| {
        ratio.map_or("-".to_owned(), |ratio| {
            format!("{:.3} ({:.3} to {:.3})", ratio.value, ratio.low, ratio.high)
        })
    };
    let calls = match row.syscalls_per_io {
        0.0 => "-".to_owned(),
        calls => format!("{calls:.3}"),
    };
    let _ = writeln!(
        text,
        "{:<14} {:>6} {:>10} {:>10} {calls:>8}   {:<24} {:<24} {:<24}",
        row.name,
        row.rounds.len(),
        show_count(row.iops),
        show_ns(row.cpu_ns_per_io),
        show(row.iops_ratio),
        show(row.cpu_ratio),
        show(row.cpu_ratio.map(inverse))
    );
}

/// Of a cost: what the same cost buys. The ends of the interval change places.
fn inverse(ratio: Estimate) -> Estimate {
    let of = |value: f64| if value > 0.0 { 1.0 / value } else { f64::INFINITY };
    Estimate { value: of(ratio.value), low: of(ratio.high), high: of(ratio.low) }
}

//! What the demo has shown, as a table and as JSON.

use byway_bench::run::RunResult;
use byway_engine::block::wrap::VerifyCounts;
use serde::Serialize;

/// The result. Times are in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// Reads and writes per second, over the whole run with its outage.
    iops: f64,
    reads: u64,
    writes: u64,
    read_p50_ms: f64,
    read_p99_ms: f64,
    write_p50_ms: f64,
    write_p99_ms: f64,
    failed_requests: u64,
    /// From the kill of the target to its being there again.
    outage_ms: f64,
    /// From its being there again to the next completed request.
    recovery_ms: f64,
    /// The same of the export.
    export_outage_ms: f64,
    /// The same of the export.
    export_recovery_ms: f64,
    /// Blocks that were read back and compared.
    compared_blocks: u64,
    lost_blocks: u64,
    /// Commits that the killed export had not put in place yet.
    replayed_commits: u64,
    /// What fsck has found on its volume.
    fsck_findings: usize,
}

/// What the kills have cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outages {
    pub(super) target: Outage,
    pub(super) export: Outage,
}

/// What a kill has cost, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outage {
    pub(super) outage_ns: u64,
    pub(super) recovery_ns: u64,
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

impl Report {
    pub(super) fn new(
        result: &RunResult,
        outages: Outages,
        counts: VerifyCounts,
        fsck: &byway_fs::fsck::Report,
    ) -> Report {
        let tallies = &result.jobs[0].tallies;
        let at = |side: usize, part: f64| ms(tallies[side].service.value_at_quantile(part));
        Report {
            iops: result.iops(),
            reads: tallies[0].ios,
            writes: tallies[1].ios,
            read_p50_ms: at(0, 0.5),
            read_p99_ms: at(0, 0.99),
            write_p50_ms: at(1, 0.5),
            write_p99_ms: at(1, 0.99),
            failed_requests: result.failures(),
            outage_ms: ms(outages.target.outage_ns),
            recovery_ms: ms(outages.target.recovery_ns),
            export_outage_ms: ms(outages.export.outage_ns),
            export_recovery_ms: ms(outages.export.recovery_ns),
            compared_blocks: counts.matched + counts.mismatched,
            lost_blocks: counts.mismatched,
            replayed_commits: fsck.replayed,
            fsck_findings: fsck.findings.len(),
        }
    }

    /// True where nothing failed and nothing was lost.
    pub(super) fn is_clean(&self) -> bool {
        let whole = self.failed_requests == 0 && self.lost_blocks == 0 && self.fsck_findings == 0;
        whole && self.compared_blocks > 0
    }

    /// The table for people.
    pub(super) fn table(&self) -> String {
        let rows = [
            ("requests", format!("{} reads, {} writes", self.reads, self.writes)),
            ("per second, the outages included", format!("{:.0}", self.iops)),
            ("reads", format!("p50 {:.2} ms, p99 {:.2} ms", self.read_p50_ms, self.read_p99_ms)),
            ("writes", format!("p50 {:.2} ms, p99 {:.2} ms", self.write_p50_ms, self.write_p99_ms)),
            ("target away after kill -9", format!("{:.0} ms", self.outage_ms)),
            ("I/O again after its return", format!("{:.0} ms", self.recovery_ms)),
            ("export away after kill -9", format!("{:.0} ms", self.export_outage_ms)),
            ("I/O again after its return", format!("{:.0} ms", self.export_recovery_ms)),
            ("failed requests", self.failed_requests.to_string()),
            ("blocks read back and compared", self.compared_blocks.to_string()),
            ("blocks lost", self.lost_blocks.to_string()),
            ("findings of fsck", self.fsck_findings.to_string()),
        ];
        rows.iter().map(|(what, value)| format!("  {what:<34}{value}\n")).collect()
    }

    /// The same as JSON.
    pub(super) fn json(&self) -> String {
        serde_json::to_string_pretty(self)
            .map_or_else(|error| error.to_string(), |text| text + "\n")
    }
}

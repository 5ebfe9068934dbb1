//! Two results side by side: what changed, and whether the change is more than noise.
//!
//! The figures are those of the whole runs. The interval of a change comes from the series of
//! 100 ms that every result keeps: the ratio of their means, by a bootstrap of moving blocks. Where
//! there is no series (a result of fio itself), a change has no interval and is never called noise.

use std::fmt::Write;

use crate::report::{FioJob, FioRun, FioSide, SeriesPoint};
use crate::stats::{Estimate, series_ratio};
use crate::words::{WordError, show_ns};

/// A figure that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Operations per second.
    Iops,
    /// Median of the response times of an open loop, else of the service times.
    P50,
    /// The 99th percentile of the same.
    P99,
    /// The 99.9th percentile of the same.
    P999,
    /// Processor time of each operation, of the whole run.
    Cpu,
}

const METRICS: [Metric; 5] = [Metric::Iops, Metric::P50, Metric::P99, Metric::P999, Metric::Cpu];

impl Metric {
    /// The word for tables and conditions.
    pub fn word(&self) -> &'static str {
        match self {
            Metric::Iops => "iops",
            Metric::P50 => "p50",
            Metric::P99 => "p99",
            Metric::P999 => "p99.9",
            Metric::Cpu => "cpu",
        }
    }

    fn of(&self, run: &FioRun, side: &FioSide) -> f64 {
        let percentile = |word: &str| side.lat_ns.percentile.get(word).map_or(0.0, |ns| *ns as f64);
        match self {
            Metric::Iops => side.iops,
            Metric::P50 => percentile("50.000000"),
            Metric::P99 => percentile("99.000000"),
            Metric::P999 => percentile("99.900000"),
            Metric::Cpu => run.x.cpu_ns_per_io,
        }
    }

    fn in_point(&self, point: &SeriesPoint) -> Option<f64> {
        match self {
            Metric::Iops => Some(point.ios as f64),
            Metric::P50 => Some(point.p50 as f64),
            Metric::P99 => Some(point.p99 as f64),
            Metric::P999 | Metric::Cpu => None,
        }
    }

    fn show(&self, value: f64) -> String {
        match self {
            Metric::Iops => crate::report::show_count(value),
            _ => show_ns(value),
        }
    }
}

/// One figure of both results.
#[derive(Clone, Debug)]
pub struct Row {
    /// The job.
    pub job: String,
    /// `read` or `write`.
    pub direction: &'static str,
    /// The figure.
    pub metric: Metric,
    /// Of the first result.
    pub a: f64,
    /// Of the second result.
    pub b: f64,
    /// The ratio of the series, with its interval.
    pub ratio: Option<Estimate>,
}

impl Row {
    /// The change from the first to the second, in percent.
    pub fn change_percent(&self) -> f64 {
        if self.a == 0.0 { 0.0 } else { (self.b / self.a - 1.0) * 100.0 }
    }

    /// True where the interval does not tell the two apart.
    pub fn is_noise(&self) -> bool {
        self.ratio.is_some_and(|ratio| ratio.low <= 1.0 && 1.0 <= ratio.high)
    }
}

/// A condition that fails a comparison, such as `p99>+5%` or `iops<-3%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FailIf {
    metric: Metric,
    above: bool,
    percent: f64,
}

/// Reads a condition.
pub fn fail_if(word: &str) -> Result<FailIf, WordError> {
    let error = |problem: &str| {
        let remedy = "write a figure, > or <, and a change, such as p99>+5% or iops<-3%";
        WordError::new(format!("'{word}'"), problem, remedy)
    };
    let at = word.find(['>', '<']).ok_or_else(|| error("not a condition"))?;
    let (name, rest) = word.split_at(at);
    let metric = METRICS.into_iter().find(|m| m.word() == name.trim());
    let metric = metric.ok_or_else(|| error("the figure is none of iops, p50, p99, p99.9, cpu"))?;
    let number = rest[1..].trim().strip_suffix('%').ok_or_else(|| error("no percentage"))?;
    let percent: f64 = number.parse().map_err(|_| error("not a number"))?;
    if !percent.is_finite() {
        return Err(error("not a number"));
    }
    Ok(FailIf { metric, above: rest.starts_with('>'), percent })
}

impl FailIf {
    /// True where the change is beyond the limit and more than noise.
    pub fn is_met_by(&self, row: &Row) -> bool {
        let change = row.change_percent();
        let beyond = if self.above { change > self.percent } else { change < self.percent };
        row.metric == self.metric && beyond && !row.is_noise()
    }
}

/// A comparison.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Why the two should not be compared.
    pub warnings: Vec<String>,
    /// The figures.
    pub rows: Vec<Row>,
}

/// Compares `b` with `a`, job by job of the same name or place.
pub fn compare(a: &FioRun, b: &FioRun) -> Comparison {
    let mut rows = Vec::new();
    for (index, job) in a.jobs.iter().enumerate() {
        let same_name = b.jobs.iter().find(|other| other.jobname == job.jobname);
        if let Some(other) = same_name.or_else(|| b.jobs.get(index)) {
            rows.extend(job_rows((a, job), (b, other)));
        }
    }
    Comparison { warnings: warnings(a, b), rows }
}

fn job_rows(a: (&FioRun, &FioJob), b: (&FioRun, &FioJob)) -> Vec<Row> {
    let sides = [
        ("read", &a.1.read, &b.1.read, &a.1.x.read_series, &b.1.x.read_series),
        ("write", &a.1.write, &b.1.write, &a.1.x.write_series, &b.1.x.write_series),
    ];
    let both = sides.into_iter().filter(|(_, a, b, ..)| a.total_ios > 0 && b.total_ios > 0);
    both.flat_map(|(direction, side_a, side_b, series_a, series_b)| {
        METRICS.into_iter().map(move |metric| Row {
            job: a.1.jobname.clone(),
            direction,
            metric,
            a: metric.of(a.0, side_a),
            b: metric.of(b.0, side_b),
            ratio: series_ratio(&values(metric, series_a), &values(metric, series_b)),
        })
    })
    .filter(|row| row.a > 0.0 && row.b > 0.0)
    .collect()
}

fn values(metric: Metric, series: &[SeriesPoint]) -> Vec<f64> {
    series.iter().filter_map(|point| metric.in_point(point)).collect()
}

fn warnings(a: &FioRun, b: &FioRun) -> Vec<String> {
    let mut found = a.x.machine.differences(&b.x.machine);
    let mut differs = |what: &str, a: &str, b: &str| {
        if a != b {
            found.push(format!("{what} differs: {a} and {b}"));
        }
    };
    differs("device", &a.x.uri, &b.x.uri);
    differs("interface", &a.x.api, &b.x.api);
    differs("poll mode", &a.x.poll_mode, &b.x.poll_mode);
    for (a, b) in a.jobs.iter().zip(&b.jobs) {
        for key in ["rw", "bs", "iodepth", "numjobs", "size", "rwmixread", "rate_iops"] {
            let word = |job: &FioJob| job.options.get(key).cloned().unwrap_or("nothing".into());
            differs(key, &word(a), &word(b));
        }
        let kind = |job: &FioJob| if job.x.open_loop { "open" } else { "closed" };
        differs("the loop", kind(a), kind(b));
    }
    for (name, run) in [("first", a), ("second", b)] {
        let jitter = &run.x.machine.jitter;
        if jitter.taken_percent > 1.0 {
            found.push(format!(
                "the {name} ran on a busy machine: {:.1} % of the jitter probe was \
                taken by others",
                jitter.taken_percent
            ));
        }
        if run.jobs.iter().any(|job| job.error != 0) {
            found.push(format!("the {name} has failed operations"));
        }
    }
    found
}

impl Comparison {
    /// The comparison for people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
        let _ = writeln!(
            text,
            "{:<24} {:<7} {:>10} {:>10} {:>9}  95 % interval",
            "job", "figure", "first", "second", "change"
        );
        for row in &self.rows {
            let interval = row.ratio.map_or("-".to_owned(), |ratio| {
                let percent = |r: f64| (r - 1.0) * 100.0;
                let noise = if row.is_noise() { " (noise)" } else { "" };
                format!("{:+.1} % to {:+.1} %{noise}", percent(ratio.low), percent(ratio.high))
            });
            let _ = writeln!(
                text,
                "{:<24} {:<7} {:>10} {:>10} {:>+8.1}%  {interval}",
                format!("{} {}", row.job, row.direction),
                row.metric.word(),
                row.metric.show(row.a),
                row.metric.show(row.b),
                row.change_percent()
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(iops: u64, p99: u64) -> FioRun {
        let wobble = |i: u64, value: u64| value + value * (i % 5) / 100;
        let point =
            |i| SeriesPoint { ios: wobble(i, iops / 10), p50: 1, p99: wobble(i + 2, p99), max: 1 };
        let mut job = FioJob { jobname: "j".into(), ..FioJob::default() };
        job.read.total_ios = 1;
        job.read.iops = iops as f64;
        job.read.lat_ns.percentile.insert("99.000000".into(), p99);
        job.x.read_series = (0..50).map(point).collect();
        FioRun { jobs: vec![job], ..FioRun::default() }
    }

    fn row(comparison: &Comparison, metric: Metric) -> &Row {
        comparison.rows.iter().find(|row| row.metric == metric).unwrap()
    }

    #[test]
    fn a_change_is_told_from_noise() {
        let same = compare(&result(100_000, 1000), &result(100_000, 1000));
        assert!(row(&same, Metric::Iops).is_noise() && row(&same, Metric::P99).is_noise());
        let slower = compare(&result(100_000, 1000), &result(100_000, 1200));
        assert!(!row(&slower, Metric::P99).is_noise() && row(&slower, Metric::Iops).is_noise());
        assert!((row(&slower, Metric::P99).change_percent() - 20.0).abs() < 0.01);
        assert!(slower.table().contains("+20.0%"), "{}", slower.table());
    }

    #[test]
    fn conditions_fail_on_real_changes_alone() {
        let condition = fail_if("p99>+5%").unwrap();
        let met = |a, b| compare(&a, &b).rows.iter().any(|row| condition.is_met_by(row));
        assert!(met(result(100, 1000), result(100, 1200)));
        assert!(!met(result(100, 1000), result(100, 1040)));
        assert!(!met(result(100, 1200), result(100, 1000)));
        let fewer = fail_if("iops < -3%").unwrap();
        let rows = compare(&result(100_000, 1), &result(90_000, 1)).rows;
        assert!(rows.iter().any(|row| fewer.is_met_by(row)));
        for word in ["p99", "p98>1%", "p99>5", "p99>x%", "p99>inf%", ""] {
            assert!(fail_if(word).is_err(), "{word}");
        }
    }

    #[test]
    fn other_conditions_are_warned_of() {
        let mut other = result(100, 1);
        other.x.machine.kernel = "6.1".into();
        other.x.poll_mode = "always".into();
        other.jobs[0].error = 28;
        let warnings = compare(&result(100, 1), &other).warnings.join("\n");
        for part in ["kernel differs", "poll mode differs", "second has failed"] {
            assert!(warnings.contains(part), "{warnings}");
        }
        assert!(compare(&result(1, 1), &result(1, 1)).warnings.is_empty());
    }
}

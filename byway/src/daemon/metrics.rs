//! Metrics in Prometheus' text format 0.0.4: families of samples with a kind and a line of help.

use std::fmt::{Display, Write};

/// How the format is called (Prometheus, 'Exposition formats').
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a family counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows; its name ends with `_total`.
    Counter,
    /// It grows and shrinks.
    Gauge,
    /// Counts below bounds.
    Histogram,
}

/// A page of metrics that grows family by family.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    text: String,
}

/// The samples of one family.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Metrics {
    /// An empty page.
    #[must_use]
    pub fn new() -> Metrics {
        Metrics::default()
    }

    /// Begins a family; its samples follow.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name} {}", escaped(help)));
        self.line(format_args!("# TYPE {name} {kind}"));
        Family { text: &mut self.text, name }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        write(&mut self.text, line);
    }

    /// The page.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// One sample.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let (name, labels) = (self.name, braces(labels));
        write(self.text, format_args!("{name}{labels} {value}"));
    }

    /// A histogram of times: the counts at and below each bound, which is in nanoseconds, each with
    /// those of the bounds below it; the count of all; their sum in nanoseconds.
    pub fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        buckets: &[(u64, u64)],
        count: u64,
        sum_ns: u64,
    ) {
        let name = self.name;
        let mut bucket = |le: &str, count: u64| {
            let all = [labels, &[("le", le)]].concat();
            write(self.text, format_args!("{name}_bucket{} {count}", braces(&all)));
        };
        for (bound_ns, below) in buckets {
            bucket(&seconds(*bound_ns), *below);
        }
        bucket("+Inf", count);
        let labels = braces(labels);
        write(self.text, format_args!("{name}_sum{labels} {}", seconds(sum_ns)));
        write(self.text, format_args!("{name}_count{labels} {count}"));
    }
}

/// Nanoseconds as seconds, exactly.
#[must_use]
pub fn seconds(ns: u64) -> String {
    let text = format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn write(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a string takes everything");
    text.push('\n');
}

fn braces(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let label = |(name, value): &(&str, &str)| {
        format!("{name}=\"{}\"", escaped(value).replace('"', "\\\""))
    };
    format!("{{{}}}", labels.iter().map(label).collect::<Vec<_>>().join(","))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_the_format_asks_for() {
        let mut metrics = Metrics::new();
        let mut family = metrics.family("byway_requests_total", Kind::Counter, "Requests.");
        family.sample(&[("export", "a \"b\"\\\n"), ("op", "read")], 5);
        metrics.family("byway_up", Kind::Gauge, "One.").sample(&[], 1);
        let mut family = metrics.family("byway_latency_seconds", Kind::Histogram, "Time.");
        family.histogram(&[("op", "read")], &[(1_000, 1), (1_000_000, 3)], 4, 2_500_000_000);
        let expected = "\
# HELP byway_requests_total Requests.
# TYPE byway_requests_total counter
byway_requests_total{export=\"a \\\"b\\\"\\\\\\n\",op=\"read\"} 5
# HELP byway_up One.
# TYPE byway_up gauge
byway_up 1
# HELP byway_latency_seconds Time.
# TYPE byway_latency_seconds histogram
byway_latency_seconds_bucket{op=\"read\",le=\"0.000001\"} 1
byway_latency_seconds_bucket{op=\"read\",le=\"0.001\"} 3
byway_latency_seconds_bucket{op=\"read\",le=\"+Inf\"} 4
byway_latency_seconds_sum{op=\"read\"} 2.5
byway_latency_seconds_count{op=\"read\"} 4
";
        assert_eq!(metrics.into_text(), expected);
    }
}

//! The result as one page that needs nothing else: tables and charts, all inside the file.

use std::fmt::Write;

use hdrhistogram::Histogram;

use super::chart::{Chart, Line, Scale};
use super::table::{run_table, show_count, sweep_table, utc};
use crate::record::{Direction, INTERVAL_NS, Point};
use crate::run::{JobResult, RunResult};
use crate::sweep::SweepResult;
use crate::words::show_ns;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;\
    padding:0 1em;color:#222;background:#fff}h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}\
    table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.25em .8em;\
    border-bottom:1px solid #ddd;text-align:right}td:first-child,th:first-child{text-align:left}\
    pre{background:#f6f6f6;padding:1em;overflow-x:auto;font-size:13px}svg{max-width:100%;\
    height:auto}p.note{color:#666}figure{margin:1.5em 0}\
    figcaption span{margin-right:1.4em;white-space:nowrap;font-size:13px}";
/// Points of a percentile curve for each factor of ten.
const POINTS_PER_DECADE: i32 = 20;

/// The page of a run: figures, percentiles, latency and load over time.
pub fn run_page(run: &RunResult) -> String {
    let title = format!("byway bench: {}", run.device.name);
    let mut body = format!("<p class=\"note\">{} UTC</p>", utc(run.started_ms / 1000));
    body.push_str(&figures(run));
    body.push_str(&percentile_chart(run).figure());
    body.push_str(&time_chart(run).figure());
    body.push_str(&load_over_time(run).figure());
    let _ = write!(body, "<h2>As text</h2><pre>{}</pre>", escape(&run_table(run)));
    page(&title, &body)
}

/// The page of a sweep: latency against load, the knee marked in the table.
pub fn sweep_page(sweep: &SweepResult) -> String {
    let title = format!("byway bench sweep: {}", sweep.uri);
    let mut body = format!("<p class=\"note\">{}</p>", escape(&sweep.job));
    body.push_str(&load_chart(sweep).figure());
    body.push_str(&done_chart(sweep).figure());
    let _ = write!(body, "<pre>{}</pre>", escape(&sweep_table(sweep)));
    page(&title, &body)
}

fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body>\n\
         <h1>{title}</h1>\n{body}\n</body></html>\n"
    )
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn figures(run: &RunResult) -> String {
    let mut rows = String::from(
        "<table><tr><th>job</th><th>IOPS</th><th>MiB/s</th><th>time</th><th>p50</th><th>p99</th>\
         <th>p99.9</th><th>max</th></tr>",
    );
    for (job, direction, times, kind) in distributions(run) {
        let ios = job.tallies[direction as usize].ios;
        let mib = job.per_second(ios * u64::from(job.spec.bs)) / f64::from(1 << 20);
        let _ = write!(
            rows,
            "<tr><td>{} {}</td><td>{}</td><td>{mib:.1}</td><td>{kind}</td>",
            escape(&job.spec.name),
            direction.word(),
            show_count(job.per_second(ios))
        );
        for quantile in [0.5, 0.99, 0.999, 1.0] {
            let _ = write!(rows, "<td>{}</td>", show_ns(times.value_at_quantile(quantile) as f64));
        }
        rows.push_str("</tr>");
    }
    rows + "</table>"
}

type Distribution<'a> = (&'a JobResult, Direction, &'a Histogram<u64>, &'static str);

/// Every distribution of a run that holds something: response times first where there are any.
fn distributions(run: &RunResult) -> Vec<Distribution<'_>> {
    let of_job = |job| -> Vec<Distribution<'_>> {
        let job: &JobResult = job;
        let directions = [Direction::Read, Direction::Write].into_iter();
        directions
            .flat_map(|direction| {
                let tally = &job.tallies[direction as usize];
                [
                    (job, direction, &tally.response, "response"),
                    (job, direction, &tally.service, "service"),
                ]
            })
            .filter(|(_, _, times, _)| !times.is_empty())
            .collect()
    };
    run.jobs.iter().flat_map(of_job).collect()
}

/// The words of a time on an axis.
fn show_time(ns: f64) -> String {
    show_ns(ns)
}

/// The words of `1 / (1 - quantile)` on an axis.
fn show_nines(x: f64) -> String {
    let percent = (1.0 - 1.0 / x) * 100.0;
    let decimals = (x.log10().floor() as usize).saturating_sub(2);
    format!("{percent:.decimals$} %")
}

fn percentile_chart(run: &RunResult) -> Chart<'static> {
    let lines = distributions(run).into_iter().map(|(job, direction, times, kind)| Line {
        name: format!("{} {} {kind}", job.spec.name, direction.word()),
        points: percentile_curve(times),
    });
    Chart {
        title: "Latency by percentile",
        x: "percentile",
        y: "latency",
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        show_x: &show_nines,
        show_y: &show_time,
        dots: false,
        lines: lines.collect(),
    }
}

/// Points at quantiles that lie evenly by powers of ten from the end, as far as there are values.
fn percentile_curve(times: &Histogram<u64>) -> Vec<(f64, f64)> {
    let most = (times.len() as f64).max(10.0);
    let xs = (0..).map(|i| 10f64.powf(f64::from(i) / f64::from(POINTS_PER_DECADE)));
    let point = |x: f64| (x, times.value_at_quantile(1.0 - 1.0 / x).max(1) as f64);
    xs.take_while(|x| *x <= most).map(point).collect()
}

/// A figure of a point, where the point has it: an interval without operations has no latency.
type Figure = fn(&Point) -> Option<f64>;

/// One line for each job, direction and figure; a point without the figure is left out.
fn over_time(run: &RunResult, figures: &[(&str, Figure)]) -> Vec<Line> {
    let mut lines = Vec::new();
    for job in &run.jobs {
        for (direction, series) in [Direction::Read, Direction::Write].into_iter().zip(&job.series)
        {
            if series.points().iter().all(|point| point.ios == 0) {
                continue;
            }
            for (word, figure) in figures {
                let at = |i: usize| (i as f64 + 0.5) * INTERVAL_NS as f64 / 1e9;
                let points = series.points().iter().enumerate();
                lines.push(Line {
                    name: format!("{} {} {word}", job.spec.name, direction.word()),
                    points: points.filter_map(|(i, p)| Some((at(i), figure(p)?))).collect(),
                });
            }
        }
    }
    lines
}

fn show_seconds(s: f64) -> String {
    if s.fract() == 0.0 { format!("{s:.0}") } else { format!("{s:.1}") }
}

fn time_chart(run: &RunResult) -> Chart<'static> {
    let figures: [(&str, Figure); 3] = [
        ("p50", |p| (p.ios > 0).then_some(p.p50_ns.max(1) as f64)),
        ("p99", |p| (p.ios > 0).then_some(p.p99_ns.max(1) as f64)),
        ("max", |p| (p.ios > 0).then_some(p.max_ns.max(1) as f64)),
    ];
    Chart {
        title: "Latency over time (each 100 ms)",
        x: "seconds since the start of the measurement",
        y: "latency",
        x_scale: Scale::Linear,
        y_scale: Scale::Log,
        show_x: &show_seconds,
        show_y: &show_time,
        dots: false,
        lines: over_time(run, &figures),
    }
}

fn load_over_time(run: &RunResult) -> Chart<'static> {
    let per_second: Figure = |p| Some(p.ios as f64 * 1e9 / INTERVAL_NS as f64);
    Chart {
        title: "Load over time (each 100 ms)",
        x: "seconds since the start of the measurement",
        y: "operations per second",
        x_scale: Scale::Linear,
        y_scale: Scale::Linear,
        show_x: &show_seconds,
        show_y: &show_count,
        dots: false,
        lines: over_time(run, &[("done", per_second)]),
    }
}

fn load_chart(sweep: &SweepResult) -> Chart<'static> {
    let line = |name: &str, figure: fn(&crate::sweep::Step) -> u64| Line {
        name: name.into(),
        points: sweep.steps.iter().map(|s| (s.asked, figure(s).max(1) as f64)).collect(),
    };
    let mut lines =
        vec![line("p50", |s| s.p50_ns), line("p99", |s| s.p99_ns), line("p99.9", |s| s.p999_ns)];
    if let Some(knee) = sweep.knee.and_then(|knee| sweep.steps.get(knee)) {
        let points = vec![(knee.asked, knee.p99_ns.max(1) as f64)];
        lines.push(Line { name: format!("knee at {}/s", show_count(knee.asked)), points });
    }
    Chart {
        title: "Response time against load",
        x: "operations per second asked for",
        y: "response time",
        x_scale: Scale::Linear,
        y_scale: Scale::Log,
        show_x: &show_count,
        show_y: &show_time,
        dots: true,
        lines,
    }
}

fn done_chart(sweep: &SweepResult) -> Chart<'static> {
    let line = |name: &str, figure: fn(&crate::sweep::Step) -> f64| Line {
        name: name.into(),
        points: sweep.steps.iter().map(|s| (s.asked, figure(s))).collect(),
    };
    Chart {
        title: "Load done against load asked for",
        x: "operations per second asked for",
        y: "operations per second",
        x_scale: Scale::Linear,
        y_scale: Scale::Linear,
        show_x: &show_count,
        show_y: &show_count,
        dots: true,
        lines: vec![line("done", |s| s.done), line("asked for", |s| s.asked)],
    }
}

//! A line on the terminal while a run goes on; nothing where the error output is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress line.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A line for `span_ns` nanoseconds, on the error output, where wanted and a terminal.
    pub fn new(wanted: bool, span_ns: u64) -> Progress {
        let target =
            if wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(span_ns / 1_000_000), target);
        let template = "{bar:30} {elapsed} of {prefix}  {msg}";
        let style = ProgressStyle::with_template(template).expect("a constant template");
        bar.set_style(style);
        bar.set_prefix(format!("{}s", span_ns.div_ceil(1_000_000_000)));
        Progress { bar }
    }

    /// A line for a fill of `len` bytes.
    pub(super) fn of_bytes(wanted: bool, len: u64) -> Progress {
        let target =
            if wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(len), target);
        let template = "{bar:30} filled {bytes} of {total_bytes}";
        bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
        Progress { bar }
    }

    /// Shows how many bytes are done.
    pub(super) fn show_bytes(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Shows how many operations are done.
    pub fn show(&self, done: u64) {
        let elapsed = self.bar.elapsed();
        self.bar.set_position(elapsed.as_millis() as u64);
        if done > 0 && elapsed > Duration::ZERO {
            self.bar.set_message(format!("{done} operations"));
        }
    }

    /// Takes the line away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

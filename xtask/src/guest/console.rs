//! What a guest prints: read by a thread, so that waiting for a line can end by a deadline.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::ChildStdout;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use crate::exec::Outcome;

/// Lines that a failure shows.
const KEPT: usize = 60;

/// The console's lines, in order.
pub(super) struct Console {
    lines: Receiver<String>,
    last: VecDeque<String>,
}

impl Console {
    pub(super) fn of(output: ChildStdout) -> Console {
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(output);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                if sender.send(text).is_err() {
                    return;
                }
            }
        });
        Console { lines, last: VecDeque::new() }
    }

    /// Reads until a line starts with `marker`, and returns what follows it.
    pub(super) fn wait_for(&mut self, marker: &str, deadline: Instant) -> Outcome<String> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let rest = line.strip_prefix(marker).map(|rest| rest.trim().to_owned());
                    self.keep(line);
                    if let Some(rest) = rest {
                        return Ok(rest);
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Err(self.failure(marker, "in time")),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.failure(marker, "before its end"));
                }
            }
        }
    }

    /// Passes the lines on to the terminal, to the end.
    pub(super) fn show(&mut self) {
        self.lines.iter().for_each(|line| println!("guest: {line}"));
    }

    /// The last lines.
    pub(super) fn text(&self) -> String {
        self.last.iter().map(|line| format!("    guest: {line}\n")).collect()
    }

    fn keep(&mut self, line: String) {
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    fn failure(&self, marker: &str, when: &str) -> String {
        format!("the guest did not print {marker} {when}; its last lines:\n{}", self.text())
    }
}

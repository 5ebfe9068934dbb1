//! QEMU's monitor for machines, QMP: one JSON object per line over a Unix socket, a command and then
//! its answer. Events come in between and are passed over.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::exec::Outcome;

/// For how long an answer may be waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at something that goes on.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// A monitor that takes commands.
pub(super) struct Qmp {
    lines: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects as soon as QEMU listens, and leaves the negotiation behind.
    pub(super) fn connect(path: &Path, deadline: Instant) -> Outcome<Qmp> {
        let stream = loop {
            match UnixStream::connect(path) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() >= deadline => {
                    return Err(format!("{}: {error}", path.display()));
                }
                Err(_) => std::thread::sleep(LOOK),
            }
        };
        stream.set_read_timeout(Some(PATIENCE)).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut qmp = Qmp { lines: BufReader::new(stream) };
        let greeting = qmp.receive()?;
        if greeting["QMP"].is_null() {
            return Err(format!("{}: no greeting of QMP: {greeting}", path.display()));
        }
        qmp.call("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// One command; what it returns.
    pub(super) fn call(&mut self, command: &str, arguments: &Value) -> Outcome<Value> {
        let line = json!({ "execute": command, "arguments": arguments }).to_string() + "\n";
        let sent = self.lines.get_mut().write_all(line.as_bytes());
        sent.map_err(|error| format!("QMP {command}: {error}"))?;
        loop {
            let mut answer = self.receive().map_err(|why| format!("QMP {command}: {why}"))?;
            if !answer["error"].is_null() {
                return Err(format!("QMP {command}: {}", answer["error"]["desc"]));
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    fn receive(&mut self) -> Outcome<Value> {
        let mut line = String::new();
        let len = self.lines.read_line(&mut line).map_err(|error| error.to_string())?;
        if len == 0 {
            return Err("QEMU has closed its monitor".into());
        }
        serde_json::from_str(&line).map_err(|error| format!("{line}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_between_events() {
        let (here, there) = UnixStream::pair().unwrap();
        let text =
            "{\"event\": \"STOP\"}\n{\"return\": {\"a\": 1}}\n{\"error\": {\"desc\": \"no\"}}\n";
        (&there).write_all(text.as_bytes()).unwrap();
        let mut qmp = Qmp { lines: BufReader::new(here) };
        assert_eq!(qmp.call("query", &json!({})).unwrap()["a"], 1);
        assert!(qmp.call("query", &json!({})).unwrap_err().contains("no"));
        drop(there);
        assert!(qmp.call("query", &json!({})).is_err());
    }
}

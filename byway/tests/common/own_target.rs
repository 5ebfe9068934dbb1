//! The target of this program as a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use crate::common::byway;

/// A target process on a loopback port; it ends with its value.
pub(crate) struct OwnTarget {
    child: Child,
    _out: BufReader<ChildStdout>,
    pub(crate) uri: String,
}

impl OwnTarget {
    /// Serves with these arguments, and waits until it does.
    pub(crate) fn start(args: &[&str]) -> OwnTarget {
        let mut command = byway(&["target", "serve", "--with-parent", "--portal", "127.0.0.1:0"]);
        let mut child = command.args(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut uri = String::new();
        out.read_line(&mut uri).unwrap();
        assert!(uri.starts_with("iscsi://"), "the target says '{uri}'");
        OwnTarget { child, _out: out, uri: uri.trim_end().to_owned() }
    }
}

impl Drop for OwnTarget {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

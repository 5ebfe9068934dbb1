//! What is wrong with a configuration: where, what, and what helps.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The line, from 1 on.
    pub line: usize,
    /// The table and the key, such as `export 'disk': uri`.
    pub place: String,
    /// What is wrong with it.
    pub problem: String,
    /// What helps.
    pub remedy: String,
}

impl Finding {
    /// Something wrong on a line.
    pub fn new(
        line: usize,
        place: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        let (place, problem, remedy) = (place.into(), problem.into(), remedy.into());
        Finding { line, place, problem, remedy }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}: {}; {}", self.place, self.problem, self.remedy);
        write!(f, "{}: {}", self.line, text.replace(['\n', '\r'], " "))
    }
}

/// In the order of lines.
pub(super) fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| finding.line);
}

//! How a command fails: one line, and an exit code.

use std::process::ExitCode;

use byway_bench::words::WordError;
use byway_engine::SetupError;

use byway::UriError;

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    line: String,
    code: u8,
}

impl Failure {
    /// The command line is wrong: exit code 2.
    pub(crate) fn usage(line: impl Into<String>) -> Failure {
        Failure { line: line.into(), code: 2 }
    }

    /// What was asked for did not work: exit code 1.
    pub(crate) fn failed(line: impl Into<String>) -> Failure {
        Failure { line: line.into(), code: 1 }
    }

    /// Everything was said; only the exit code is left to tell.
    pub(crate) fn silent(code: u8) -> Failure {
        Failure { line: String::new(), code }
    }

    /// The same with another exit code.
    #[must_use]
    pub(crate) fn with_code(self, code: u8) -> Failure {
        Failure { code, ..self }
    }

    /// True where the command line is wrong.
    pub(crate) fn is_usage(&self) -> bool {
        self.code == 2
    }

    /// What is wrong, in one line.
    pub(crate) fn line(&self) -> &str {
        &self.line
    }

    /// Says it, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        self.say();
        ExitCode::from(self.code)
    }

    /// Says it, in one line.
    pub(crate) fn say(&self) {
        if self.line.is_empty() {
            return;
        }
        let line = self.line.replace('\n', " ");
        eprintln!("byway: {line}");
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Failure {
        Failure::failed(error.to_string())
    }
}

impl From<WordError> for Failure {
    fn from(error: WordError) -> Failure {
        Failure::usage(error.to_string())
    }
}

impl From<UriError> for Failure {
    fn from(error: UriError) -> Failure {
        Failure::usage(error.to_string())
    }
}

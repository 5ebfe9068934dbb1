//! Failed operations: the first ones in full, the rest by number.

use byway_engine::IoError;

/// A thread gives up after this many failed operations, and keeps this many in full.
pub const ERRORS_MAX: usize = 16;

/// One failed operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The operation's word.
    pub op: &'static str,
    /// First byte on the device.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
    /// The kernel's number for it, where there is one.
    pub errno: Option<i32>,
    /// What happened.
    pub what: String,
}

impl From<&IoError> for Failure {
    fn from(error: &IoError) -> Failure {
        Failure {
            op: error.op.name(),
            offset: error.offset,
            len: error.len,
            errno: error.errno,
            what: error.to_string(),
        }
    }
}

/// The failures of a thread or of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorLog {
    /// The first ones.
    pub first: Vec<Failure>,
    /// All of them.
    pub count: u64,
}

impl ErrorLog {
    /// Adds a failure.
    pub fn add(&mut self, failure: Failure) {
        self.count += 1;
        if self.first.len() < ERRORS_MAX {
            self.first.push(failure);
        }
    }

    /// Adds another log to this one.
    pub fn merge(&mut self, other: ErrorLog) {
        self.count += other.count;
        let room = ERRORS_MAX - self.first.len();
        self.first.extend(other.first.into_iter().take(room));
    }

    /// True where so much failed that going on tells nothing.
    pub fn is_full(&self) -> bool {
        self.count >= ERRORS_MAX as u64
    }

    /// The kernel's number of the first failure that has one; 5 (`EIO`) for one without; 0 for none.
    pub fn errno(&self) -> i32 {
        match self.first.first() {
            None => 0,
            Some(_) => self.first.iter().find_map(|failure| failure.errno).unwrap_or(5),
        }
    }
}

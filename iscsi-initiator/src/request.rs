//! A request on its way: the submitter's, with what the device remembers of it.

use byway_engine::ErrorKind;
use byway_engine::block::Io;

/// How often a request may be sent again for reasons that cost the target nothing.
pub(crate) const ATTEMPTS_MAX: u16 = 100;

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    /// Its place in the order of submission.
    pub(crate) order: u64,
    /// What was asked. Its tag is the submitter's.
    pub(crate) io: Io,
    /// The write is done, and a flush makes it durable where the target has no FUA.
    pub(crate) is_flushing: bool,
    /// How often it was sent.
    pub(crate) attempts: u16,
    /// The path whose old session may still execute a copy: nothing is sent before that path has a
    /// new session, which ends the tasks of the old one (RFC 7143 section 6.3.5).
    pub(crate) held_by: Option<usize>,
    /// A copy of it may have been executed, or has been: it cannot fail as if nothing had happened.
    pub(crate) maybe_written: bool,
    /// It is not sent again: it fails when nothing holds it any more.
    pub(crate) is_given_up: bool,
    /// Losses of the target's cache that were known when it was submitted; of a flush, those that
    /// the submitter had been told of.
    pub(crate) losses: u64,
    /// When it fails for want of a path.
    pub(crate) give_up_ns: u64,
}

/// The kind of a failure after which the medium may be another one. What the caller must do about a
/// fence or a bad medium is the same either way.
pub(crate) fn after_writing(kind: ErrorKind) -> ErrorKind {
    match kind {
        ErrorKind::Fenced | ErrorKind::Media => kind,
        _ => ErrorKind::Aborted { maybe_written: true },
    }
}

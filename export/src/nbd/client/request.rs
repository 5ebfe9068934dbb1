//! A request on its way: the submitter's, with what the device remembers of it.

use byway_engine::ErrorKind;
use byway_engine::block::Io;

use super::carve::Carved;

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    /// Its place in the order of submission.
    pub(crate) order: u64,
    /// What was asked. Its tag is the submitter's.
    pub(crate) io: Io,
    /// Bytes of it that are done: what is longer than the server takes goes in parts.
    pub(crate) done: u64,
    /// Bytes of the part that is at the server.
    pub(crate) part: u64,
    /// The write is done, and a flush makes it durable where the server has no FUA.
    pub(crate) is_flushing: bool,
    /// A copy of it may have been executed on a connection that was lost.
    pub(crate) maybe_written: bool,
    /// Losses of the server's cache that were known when it was submitted; of a flush, those that
    /// the submitter had been told of.
    pub(crate) losses: u64,
    /// Of a flush that was sent: something was written that only it makes durable.
    pub(crate) covers: bool,
    /// The part of the payload that travels by itself.
    pub(crate) carved: Carved,
}

impl Request {
    /// Its bytes, beside those of its payload, start anew: the connection is lost.
    pub(crate) fn rewind(&mut self) {
        (self.done, self.part, self.is_flushing) = (0, 0, false);
    }

    /// The kind of a failure, given what may have happened to the medium. What the caller must do
    /// about a bad medium is the same either way.
    pub(crate) fn kind(&self, kind: ErrorKind) -> ErrorKind {
        match kind {
            ErrorKind::Fenced | ErrorKind::Media => kind,
            _ if self.maybe_written => ErrorKind::Aborted { maybe_written: true },
            _ => kind,
        }
    }
}

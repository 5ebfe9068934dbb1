//! What happened on a device, in the order it happened.

use std::sync::{Arc, Mutex};

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A request was accepted.
    Began(u32),
    /// It completed.
    Ended(u32),
    /// The test notes a promise: from here on, what it calls by this number must survive.
    Promised(u64),
}

/// What a request does to the medium.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// Bytes are written.
    Write {
        /// Where, in bytes.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
        /// Durable when completed.
        fua: bool,
    },
    /// Bytes are zeroes from here on, at some time: a discard or write-zeroes.
    Clear {
        /// Where, in bytes.
        offset: u64,
        /// How many.
        len: u64,
        /// Durable when completed.
        fua: bool,
    },
    /// Everything that completed before it began is durable when it completed.
    Flush,
}

/// Requests by number, and events.
#[derive(Default, Debug)]
pub(crate) struct Log {
    /// Number to request.
    pub(crate) requests: Vec<Request>,
    /// In order.
    pub(crate) events: Vec<Event>,
}

/// A log that a device and a test write together.
pub(crate) type SharedLog = Arc<Mutex<Log>>;

/// Notes a promise.
pub(crate) fn promise(log: &SharedLog, number: u64) {
    log.lock().expect("no test panics with it").events.push(Event::Promised(number));
}

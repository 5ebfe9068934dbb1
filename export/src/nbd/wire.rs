//! The stream of one connection.

use std::rc::Rc;

use byway_engine::block::Payload;
use byway_engine::net::{NetError, Stream};

/// What requests come in by and replies leave by. One receive and one send may be under way at a
/// time.
#[derive(Clone)]
pub(crate) enum Wire {
    /// Bytes as they are.
    Plain(Rc<Stream>),
}

impl Wire {
    /// Receives what comes first, as [`Stream::receive`].
    pub(crate) async fn receive(&self, payload: Payload) -> (Result<usize, NetError>, Payload) {
        match self {
            Wire::Plain(stream) => stream.receive(payload).await,
        }
    }

    /// Sends all of the payload, as [`Stream::send`].
    pub(crate) async fn send(&self, payload: Payload) -> (Result<(), NetError>, Payload) {
        match self {
            Wire::Plain(stream) => stream.send(payload).await,
        }
    }

    /// Ends both directions, so that what is under way comes back.
    pub(crate) fn shutdown(&self) {
        let Wire::Plain(stream) = self;
        if let Err(error) = stream.shutdown() {
            tracing::debug!(%error, "a stream that has ended already");
        }
    }

    /// Who is on the other side.
    pub(crate) fn peer(&self) -> String {
        let Wire::Plain(stream) = self;
        stream.peer_address().to_string()
    }
}

//! The stream of one connection.

use std::rc::Rc;

use byway_engine::block::Payload;
use byway_engine::net::{NetError, ReadWatch, Stream};

use super::tls::TlsStream;

/// What requests come in by and replies leave by. One receive and one send may be under way at a
/// time.
#[derive(Clone)]
pub(crate) enum Wire {
    /// Bytes as they are.
    Plain(Rc<Stream>),
    /// Bytes under TLS. Its futures are boxed, so that those without it stay small.
    Tls(Rc<TlsStream>),
}

impl Wire {
    /// Receives what comes first, as [`Stream::receive`].
    pub(crate) async fn receive(&self, payload: Payload) -> (Result<usize, NetError>, Payload) {
        match self {
            Wire::Plain(stream) => stream.receive(payload).await,
            Wire::Tls(stream) => Box::pin(stream.receive(payload)).await,
        }
    }

    /// True where what is sent may be memory that a device lends: where none but the kernel looks at it.
    pub(crate) fn takes_lent(&self) -> bool {
        matches!(self, Wire::Plain(stream) if stream.is_kernel())
    }

    /// Wakes the core when the client has read, as [`Stream::watch_reading`].
    pub(crate) fn watch_reading(&self) -> Option<ReadWatch> {
        self.stream().watch_reading()
    }

    /// Sends all of the payload, as [`Stream::send`].
    pub(crate) async fn send(&self, payload: Payload) -> (Result<(), NetError>, Payload) {
        match self {
            Wire::Plain(stream) => stream.send(payload).await,
            Wire::Tls(stream) => Box::pin(stream.send(payload)).await,
        }
    }

    /// Says that nothing more is sent, where the stream has words for it.
    pub(crate) async fn goodbye(&self) {
        if let Wire::Tls(stream) = self {
            stream.close().await;
        }
    }

    /// Ends both directions, so that what is under way comes back.
    pub(crate) fn shutdown(&self) {
        if let Err(error) = self.stream().shutdown() {
            tracing::debug!(%error, "a stream that has ended already");
        }
    }

    /// Who is on the other side.
    pub(crate) fn peer(&self) -> String {
        self.stream().peer_address().to_string()
    }

    fn stream(&self) -> &Stream {
        match self {
            Wire::Plain(stream) => stream,
            Wire::Tls(stream) => stream.stream(),
        }
    }
}

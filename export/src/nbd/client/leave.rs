//! Taking leave of a server in order (NBD, 'Terminating the transmission phase'), and the connection
//! that opened the device: it waits for the first channel, since a server may go with its last client.

use byway_engine::net::{Parked, Stream};
use byway_proto::nbd::Headers;
use byway_proto::nbd::client::Opened;
use byway_proto::nbd::command::Command;
use byway_proto::nbd::context::ClientId;
use byway_proto::nbd::flags::CommandFlags;
use byway_proto::nbd::request::{COMPACT_LEN, Request};

/// The last words on a connection.
fn farewell(headers: Headers, tell: impl FnOnce(&[u8])) {
    let (flags, command) = (CommandFlags::NONE, Command::Disconnect);
    let request = Request { flags, command, cookie: 0, offset: 0, len: 0 };
    match headers.request_len() {
        COMPACT_LEN => tell(&request.encode_compact()),
        _ => tell(&request.encode_extended()),
    }
}

/// Tells the server that nothing more comes, if that can leave at once.
pub(crate) fn leave(stream: &Stream, headers: Headers) {
    farewell(headers, |bytes| {
        if let Err(error) = stream.send_now(bytes) {
            tracing::debug!(%error, "the server was not told that the client leaves");
        }
    });
}

/// A connection that has shaken hands, on no core.
pub(crate) struct Kept {
    connection: Option<Parked>,
    pub(crate) opened: Opened,
    /// The name that the server was given on it.
    pub(crate) client: ClientId,
}

impl Kept {
    /// Keeps a connection; in the simulation there is none, and the server is left.
    pub(crate) fn new(stream: Stream, opened: Opened, client: ClientId) -> Kept {
        Kept { connection: stream.park(), opened, client }
    }

    /// The connection, for whoever goes on with it.
    pub(crate) fn take(&mut self) -> Option<Parked> {
        self.connection.take()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        farewell(self.opened.headers, |bytes| {
            if let Err(error) = connection.send_now(bytes) {
                tracing::debug!(%error, "the server was not told that the client leaves");
            }
        });
    }
}

//! Opens a connection: connects, and shakes hands.

use std::rc::Rc;
use std::time::Duration;

use byway_engine::block::Payload;
use byway_engine::core::{Core, within};
use byway_engine::net::{Inbox, Stream};
use byway_proto::nbd::client::{Handshake, Opened};
use byway_proto::nbd::command::Command;
use byway_proto::nbd::context::ClientId;
use byway_proto::nbd::flags::CommandFlags;
use byway_proto::nbd::request::Request;

use super::config::NbdConfig;

/// The longest that a server may take to let a client in, in nanoseconds.
const OPEN_NS: u64 = 10_000_000_000;
/// Bytes that are received at once while shaking hands.
const INBOX_LEN: u32 = 32 << 10;
/// For how long sent bytes may stay unacknowledged over TCP, in milliseconds.
const USER_TIMEOUT_MS: u32 = 20_000;
/// How often a quiet connection over TCP is probed.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Connects and shakes hands, in [`OPEN_NS`] at most; what went wrong, in words.
///
/// A client with a name has no earlier connection that the server still executes, where it says so.
pub(crate) async fn open(
    core: &Rc<Core>,
    config: &NbdConfig,
    client: Option<ClientId>,
) -> Result<(Stream, Opened), String> {
    let opened = within(core, core.now() + OPEN_NS, connect(core, config, client)).await;
    opened.unwrap_or_else(|| Err(format!("no answer in {} s", OPEN_NS / 1_000_000_000)))
}

async fn connect(
    core: &Rc<Core>,
    config: &NbdConfig,
    client: Option<ClientId>,
) -> Result<(Stream, Opened), String> {
    let stream = Stream::connect(core, &config.address).await.map_err(|e| e.to_string())?;
    stream.set_user_timeout(USER_TIMEOUT_MS).map_err(|e| e.to_string())?;
    stream.set_keep_alive(KEEP_ALIVE).map_err(|e| e.to_string())?;
    let opened = shake_hands(core, &stream, config, client).await?;
    Ok((stream, opened))
}

async fn shake_hands(
    core: &Rc<Core>,
    stream: &Stream,
    config: &NbdConfig,
    client: Option<ClientId>,
) -> Result<Opened, String> {
    let mut handshake = Handshake::new(&config.export).map_err(|e| e.to_string())?;
    if let Some(client) = client {
        handshake = handshake.with_client(client);
    }
    let mut inbox = Inbox::with_len(core, INBOX_LEN).ok_or_else(no_memory)?;
    loop {
        let (result, payload) = stream.receive(inbox.prepare(None)).await;
        let n = result.map_err(|e| e.to_string())?;
        inbox.finish(payload, n);
        if n == 0 {
            return Err("the server closed the connection during the handshake".into());
        }
        let used = handshake.handle_bytes(inbox.bytes()).map_err(|e| e.to_string())?;
        inbox.consume(used);
        put(core, stream, &handshake.output()).await?;
        if let Some(opened) = handshake.opened() {
            return match inbox.bytes() {
                [] => Ok(opened.clone()),
                _ => Err("the server replies before anything was asked".into()),
            };
        }
    }
}

async fn put(core: &Rc<Core>, stream: &Stream, bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut lease = core.lease(bytes.len() as u32).ok_or_else(no_memory)?;
    lease.copy_from_slice(bytes);
    stream.send(Payload::from(lease)).await.0.map_err(|e| e.to_string())
}

/// Takes leave of the server in order (NBD, 'Terminating the transmission phase').
pub(crate) async fn leave(core: &Rc<Core>, stream: &Stream, opened: &Opened) {
    let (flags, command) = (CommandFlags::NONE, Command::Disconnect);
    let request = Request { flags, command, cookie: 0, offset: 0, len: 0 };
    let told = match opened.headers.request_len() {
        byway_proto::nbd::request::COMPACT_LEN => {
            put(core, stream, &request.encode_compact()).await
        }
        _ => put(core, stream, &request.encode_extended()).await,
    };
    if let Err(error) = told {
        tracing::debug!(error, "the server was gone before");
    }
}

fn no_memory() -> String {
    "the core's arena has no memory left; enlarge it".into()
}

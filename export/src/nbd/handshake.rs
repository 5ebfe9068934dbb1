//! The handshake of one connection: bytes between the stream and the machine, in bounded time.

use std::rc::Rc;

use byway_engine::block::Payload;
use byway_engine::core::Core;
use byway_engine::net::Inbox;
use byway_proto::nbd::Headers;
use byway_proto::nbd::context::ClientId;
use byway_proto::nbd::listing::Listed;
use byway_proto::nbd::server::{
    Handshake, HandshakeConfig, HandshakeError, HandshakeEvent, Negotiated, Refusal, TlsPolicy,
    Wanted,
};

use super::export::Export;
use super::node::Node;
use super::succession::Claim;
use super::tls::TlsStream;
use super::wire::Wire;

/// Staging memory of a connection in its handshake, or idle.
pub(crate) const INBOX_SMALL_LEN: u32 = 4 << 10;
/// Bytes of one send.
const SEND_LEN_MAX: usize = 16 << 10;

/// Why no transmission began.
#[derive(Debug)]
pub(crate) enum NoBegin {
    /// The stream ended or failed.
    Stream(String),
    /// The client broke a rule.
    Broken(HandshakeError),
    /// The client left in order, or was turned away.
    Left,
    /// There is no memory for the connection.
    NoMemory,
}

/// One connection before its transmission.
pub(crate) struct Gate<'a> {
    pub(crate) node: &'a Rc<Node>,
    pub(crate) wire: Wire,
    pub(crate) inbox: Inbox,
    /// The client has a name.
    pub(crate) claim: Option<Claim>,
}

impl Gate<'_> {
    /// Negotiates until the client opens an export.
    pub(crate) async fn run(&mut self) -> Result<(Box<Negotiated>, Rc<Export>), NoBegin> {
        let config = HandshakeConfig { tls: self.tls_policy(), headers_max: Headers::Extended };
        let mut machine = Handshake::new(config);
        let mut export = None;
        loop {
            if self.node.is_stopping.get() {
                machine.shut_down();
            }
            let event = machine.poll_event();
            send(&self.node.core, &self.wire, &machine.output()).await?;
            match event {
                Some(HandshakeEvent::List) => self.list(&mut machine),
                Some(HandshakeEvent::Open { name, wanted, client }) => {
                    if let Some(client) = client {
                        self.end_earlier(client).await;
                    }
                    if wanted.begins() && self.claim.as_ref().is_some_and(|claim| !claim.begin()) {
                        return Err(NoBegin::Left);
                    }
                    let found = self.open(&mut machine, &name);
                    if let (Wanted::Go | Wanted::ExportName, Some(found)) = (wanted, found) {
                        export = Some(found);
                    }
                }
                Some(HandshakeEvent::Begin(negotiated)) => {
                    let export = export.expect("a transmission begins with an export");
                    return Ok((negotiated, export));
                }
                Some(HandshakeEvent::Abort | HandshakeEvent::HangUp) => return Err(NoBegin::Left),
                Some(HandshakeEvent::StartTls) => {
                    self.start_tls().await?;
                    machine.tls_started();
                }
                None => self.more(&mut machine).await?,
            }
        }
    }

    fn tls_policy(&self) -> TlsPolicy {
        match &self.node.tls {
            None => TlsPolicy::Off,
            Some(tls) if tls.is_required => TlsPolicy::Required,
            Some(_) => TlsPolicy::Allowed,
        }
    }

    /// From here on the stream is encrypted. What a client has sent in plain text behind its wish could
    /// be another one's, so there must be nothing.
    async fn start_tls(&mut self) -> Result<(), NoBegin> {
        let broken = |why: &str| NoBegin::Stream(why.to_owned());
        let tls = self.node.tls.as_ref().expect("TLS is offered where it is set up");
        if !self.inbox.bytes().is_empty() {
            return Err(broken("plain bytes where TLS begins"));
        }
        let Wire::Plain(stream) = &self.wire else { return Err(broken("TLS within TLS")) };
        let accepting = TlsStream::accept(&self.node.core, Rc::clone(stream), &tls.config);
        let stream = accepting.await.map_err(|error| NoBegin::Stream(error.to_string()))?;
        self.wire = Wire::Tls(Rc::new(stream));
        Ok(())
    }

    /// Nothing that the client asked for on an earlier connection goes on.
    async fn end_earlier(&mut self, client: ClientId) {
        self.claim = None;
        let claim = self.claim.insert(Claim::new(self.node, client));
        claim.wait().await;
    }

    fn list(&self, machine: &mut Handshake) {
        let exports = self.node.exports.borrow();
        let listed = |export: &'_ Rc<Export>| {
            let config = &export.config;
            (config.name.clone(), config.description.clone())
        };
        let names: Vec<_> = exports.iter().map(listed).collect();
        let listed = names.iter().map(|(name, description)| Listed { name, description });
        machine.list(listed);
    }

    fn open(&self, machine: &mut Handshake, name: &str) -> Option<Rc<Export>> {
        if self.node.is_stopping.get() {
            machine.refused(Refusal::Shutdown);
            return None;
        }
        let Some(export) = self.node.export(name) else {
            machine.refused(Refusal::Unknown);
            return None;
        };
        machine.opened(export.info());
        Some(export)
    }

    /// Feeds the machine what is here, or what comes next.
    async fn more(&mut self, machine: &mut Handshake) -> Result<(), NoBegin> {
        if self.inbox.bytes().is_empty() {
            let (result, payload) = self.wire.receive(self.inbox.prepare(None)).await;
            let n = result.map_err(|error| NoBegin::Stream(error.to_string()))?;
            self.inbox.finish(payload, n);
            if n == 0 {
                return Err(NoBegin::Stream("the client ended the connection".into()));
            }
        }
        let taken = machine.handle_bytes(self.inbox.bytes()).map_err(NoBegin::Broken)?;
        self.inbox.consume(taken);
        Ok(())
    }
}

async fn send(core: &Core, wire: &Wire, bytes: &[u8]) -> Result<(), NoBegin> {
    for part in bytes.chunks(SEND_LEN_MAX) {
        let mut lease = core.lease(part.len() as u32).ok_or(NoBegin::NoMemory)?;
        lease.copy_from_slice(part);
        let (sent, _) = wire.send(Payload::from(lease)).await;
        sent.map_err(|error| NoBegin::Stream(error.to_string()))?;
    }
    Ok(())
}

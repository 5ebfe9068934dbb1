//! The tasks of one connection: shake hands, receive, send, and leave nothing behind.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use byway_engine::exec::Class;
use byway_engine::memory::Segment;
use byway_engine::net::{INBOX_LEN, Inbox};
use byway_proto::nbd::server::{Negotiated, Session};

use super::connection::{Connection, Inner, Life};
use super::export::Export;
use super::handshake::{Gate, INBOX_SMALL_LEN, NoBegin};
use super::incoming::{Cut, Incoming, Step};
use super::node::Node;
use super::outgoing::Outgoing;
use super::slot::Slots;
use super::stats::ConnectionCounts;
use super::succession::Claim;
use super::wire::Wire;
use crate::race::{First, race};
use crate::watch::Watch;

/// Serves one connection from its first byte to its last.
pub(crate) async fn serve(node: Rc<Node>, wire: Wire) {
    let peer = wire.peer();
    let Some(entered) = enter(&node, wire, &peer).await else { return };
    let Entered { negotiated, export, inbox, wire, claim } = entered;
    let connection = open(&node, wire, peer, &negotiated, export, claim);
    drop(negotiated);
    let listed = Listed(connection);
    if listed.0.claim.as_ref().is_some_and(Claim::is_superseded) {
        listed.0.kill();
    }
    run(&listed.0, inbox).await;
    end(&listed.0).await;
}

/// A client that has shaken hands.
struct Entered {
    negotiated: Box<Negotiated>,
    export: Rc<Export>,
    inbox: Inbox,
    wire: Wire,
    claim: Option<Claim>,
}

/// The handshake. Its state is gone when the transmission begins.
async fn enter(node: &Rc<Node>, wire: Wire, peer: &str) -> Option<Entered> {
    let Some(inbox) = Inbox::with_len(&node.core, INBOX_SMALL_LEN) else {
        tracing::warn!(peer, "no memory for another connection");
        return None;
    };
    let mut gate = Box::new(Gate { node, wire, inbox, claim: None });
    let in_time = node.core.sleep(node.limits.handshake_ns);
    let outcome = Box::pin(race(gate.run(), in_time)).await;
    match outcome {
        First::One(Ok((negotiated, export))) => {
            let Gate { inbox, wire, claim, .. } = *gate;
            Some(Entered { negotiated, export, inbox, wire, claim })
        }
        First::One(Err(error)) => {
            tell(peer, &error);
            None
        }
        First::Other(()) => {
            tracing::info!(peer, "the handshake took too long");
            None
        }
    }
}

fn tell(peer: &str, error: &NoBegin) {
    match error {
        NoBegin::Stream(why) => tracing::debug!(peer, why, "left in the handshake"),
        NoBegin::Broken(error) => tracing::info!(peer, %error, "is no client"),
        NoBegin::Left => tracing::debug!(peer, "left without an export"),
        NoBegin::NoMemory => tracing::warn!(peer, "no memory for a handshake"),
    }
}

/// A connection in the node's table. The two hold each other, so it leaves the table when its task
/// ends, also where the core is shut down in the middle.
struct Listed(Rc<Connection>);

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.node.remove(&self.0);
    }
}

fn open(
    node: &Rc<Node>,
    wire: Wire,
    peer: String,
    negotiated: &Negotiated,
    export: Rc<Export>,
    claim: Option<Claim>,
) -> Rc<Connection> {
    tracing::info!(export = negotiated.export, peer, "a client is here");
    node.insert(|index| Connection {
        index,
        node: Rc::clone(node),
        export,
        session: Session::new(negotiated),
        wire,
        peer,
        claim,
        inner: RefCell::new(Inner {
            slots: Slots::new(node.limits.requests_max.min(super::REQUESTS_MAX) as u16),
            ready: VecDeque::new(),
            out: Outgoing::new(&node.core),
            charged: 0,
            at_device: 0,
            counts: ConnectionCounts::default(),
        }),
        life: Cell::new(Life::Open),
        is_dirty: Cell::new(false),
        rhythm: RefCell::default(),
        active_at: Cell::new(node.core.now()),
        is_to_shrink: Cell::new(false),
        has_large_inbox: Cell::new(false),
        sender: Watch::default(),
        receiver: Watch::default(),
    })
}

/// The transmission: two tasks, until one of them is at its end.
async fn run(connection: &Rc<Connection>, inbox: Inbox) {
    let core = &connection.node.core;
    let sending = send(Rc::clone(connection));
    let sender = core.spawn(Class::Foreground, "nbd-send", sending);
    match receive(connection, inbox).await {
        Ok(()) => {
            connection.close();
            connection.active_at.set(core.now());
            answers_taken(connection).await;
        }
        Err(cut) => tracing::info!(peer = connection.peer, %cut, "a connection is cut"),
    }
    connection.kill();
    let _ended = sender.await;
}

/// Waits until the last reply has left, or the client has not taken any for a while.
async fn answers_taken(connection: &Rc<Connection>) {
    let (core, patience) = (&connection.node.core, connection.node.limits.drain_ns);
    let is_over = || (connection.life.get() == Life::Dead).then_some(());
    loop {
        let in_time = core.sleep_until(connection.active_at.get() + patience);
        let first = race(connection.receiver.until(is_over), in_time).await;
        let is_stalled = connection.active_at.get() + patience <= core.now();
        if matches!(first, First::One(())) || is_stalled {
            return;
        }
    }
}

/// Sends batches until the connection is at its end, or the stream is.
async fn send(connection: Rc<Connection>) {
    while let Some(batch) = connection.sender.until(|| connection.next_batch()).await {
        let (result, batch) = connection.wire.send(batch).await;
        connection.batch_sent(batch);
        if let Err(error) = result {
            tracing::debug!(peer = connection.peer, %error, "cannot send");
            break;
        }
    }
    if connection.life.get() != Life::Dead {
        connection.wire.goodbye().await;
    }
    connection.kill();
}

/// Receives until the client ends, the connection does, or something is wrong.
async fn receive(connection: &Rc<Connection>, mut inbox: Inbox) -> Result<(), Cut> {
    let core = &connection.node.core;
    let mut incoming = Incoming::new();
    while connection.life.get() == Life::Open {
        let now = core.now();
        connection.active_at.set(now);
        let step = incoming.consume(connection, &mut inbox, now)?;
        connection.export.run_now();
        connection.advance();
        let direct = match step {
            Step::Receive(direct) => direct,
            Step::Own(len) => {
                own_ended(connection, len).await;
                continue;
            }
            Step::Memory => {
                memory_freed(connection).await;
                continue;
            }
            Step::End => break,
        };
        if !receive_once(connection, &mut inbox, &mut incoming, direct).await? {
            break;
        }
    }
    Ok(())
}

/// One receive; false at the end of the stream. Memory that has become too small or too large for
/// the traffic is exchanged around it.
async fn receive_once(
    connection: &Rc<Connection>,
    inbox: &mut Inbox,
    incoming: &mut Incoming,
    direct: Option<Segment>,
) -> Result<bool, Cut> {
    let is_direct = direct.is_some();
    let payload = inbox.prepare(direct);
    let interrupted = || {
        let is_to_shrink = !is_direct && connection.is_to_shrink.get();
        (is_to_shrink || connection.life.get() != Life::Open).then_some(())
    };
    let received =
        race(connection.wire.receive(payload), connection.receiver.until(interrupted)).await;
    let First::One((result, payload)) = received else {
        connection.is_to_shrink.set(false);
        exchange(connection, inbox, INBOX_SMALL_LEN);
        return Ok(true);
    };
    let n = result.unwrap_or(0);
    if let Some((segment, used)) = inbox.finish(payload, n) {
        incoming.direct_arrived(connection, segment, used);
    }
    if n == 0 && !(incoming.is_between() && inbox.bytes().is_empty()) {
        return Err(Cut::Gone);
    }
    if !connection.has_large_inbox.get() && inbox.bytes().len() as u32 >= INBOX_SMALL_LEN / 2 {
        exchange(connection, inbox, INBOX_LEN);
    }
    Ok(n > 0)
}

/// Another staging memory, with the bytes of the old one. Without memory the old one is kept.
fn exchange(connection: &Connection, inbox: &mut Inbox, len: u32) {
    let bytes = inbox.bytes();
    let Some(mut other) = Inbox::with_len(&connection.node.core, len) else { return };
    if !bytes.is_empty() {
        let mut payload = other.prepare(None);
        payload.copy_from(0, bytes);
        other.finish(payload, bytes.len());
    }
    *inbox = other;
    connection.has_large_inbox.set(len > INBOX_SMALL_LEN);
}

/// Waits until there is a slot, and memory of the connection's own share.
async fn own_ended(connection: &Connection, len: u32) {
    let may_go_on = || {
        let inner = connection.inner.borrow();
        let has_share =
            inner.charged == 0 || inner.charged + u64::from(len) <= connection.node.share();
        let is_open = connection.life.get() == Life::Open;
        (!inner.slots.is_full() && has_share || !is_open).then_some(())
    };
    connection.receiver.until(may_go_on).await;
}

/// Waits until some memory came back.
async fn memory_freed(connection: &Connection) {
    let node = &connection.node;
    node.starving.set(node.starving.get() + 1);
    let mut is_second = false;
    let freed = node.memory.until(|| std::mem::replace(&mut is_second, true).then_some(()));
    let is_over = || (connection.life.get() != Life::Open).then_some(());
    race(freed, connection.receiver.until(is_over)).await;
    node.starving.set(node.starving.get() - 1);
}

/// The connection is forgotten once the device has given back what it has of it.
async fn end(connection: &Rc<Connection>) {
    let is_back = || (connection.inner.borrow().at_device == 0).then_some(());
    connection.node.changed.until(is_back).await;
    connection.forget_requests();
    tracing::info!(export = connection.export.config.name, peer = connection.peer, "client left");
}

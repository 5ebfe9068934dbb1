//! The tasks of one connection: log in, receive, send, and leave nothing behind.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use byway_engine::exec::Class;
use byway_engine::memory::Segment;
use byway_engine::net::{INBOX_LEN, Inbox, Stream};
use byway_proto::iscsi::login::target::TargetLoginOutcome;
use byway_proto::iscsi::negotiate::SessionType;
use byway_proto::iscsi::target::{Config, Session, Start};
use byway_proto::scsi::data::InitiatorPort;
use byway_proto::scsi::unit::NexusId;

use super::connection::{Connection, Inner, Life};
use super::faults::Mischief;
use super::incoming::{Cut, Incoming, Step};
use super::ledger::Ledger;
use super::login::{Gate, INBOX_SMALL_LEN, NoLogin, Reserved};
use super::node::Node;
use super::outgoing::{Outgoing, SEND_SEGMENT_MAX};
use super::stats::SessionCounts;
use crate::race::{First, race};
use crate::watch::Watch;

/// Serves one connection from its first byte to its last.
pub(crate) async fn serve(node: Rc<Node>, stream: Stream, portal_group: u16) {
    let peer = stream.peer_address().to_string();
    let Some(inbox) = Inbox::with_len(&node.core, INBOX_SMALL_LEN) else {
        tracing::warn!(peer, "no memory for another connection");
        return;
    };
    let mut gate = Gate { node: &node, stream: &stream, inbox, portal_group };
    let in_time = node.core.sleep(node.limits.login_ns);
    let (outcome, place) = match race(gate.run(), in_time).await {
        First::One(Ok(entered)) => entered,
        First::One(Err(error)) => return tell(&peer, &error),
        First::Other(()) => return tracing::info!(peer, "login took too long"),
    };
    let inbox = gate.inbox;
    let listed = Listed(open(&node, peer, outcome, &place));
    run(&listed.0, stream, inbox).await;
    end(&listed.0).await;
}

/// A connection in the node's table. The two hold each other, so it leaves the table when its task
/// ends, also where the core is shut down in the middle.
struct Listed(Rc<Connection>);

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.node.forget(&self.0);
    }
}

fn tell(peer: &str, error: &NoLogin) {
    match error {
        NoLogin::Stream(why) => tracing::debug!(peer, why, "left before the login"),
        NoLogin::Garbage(why) => tracing::info!(peer, why, "is no initiator"),
        NoLogin::Refused(status) => tracing::info!(peer, ?status, "login refused"),
        NoLogin::NoMemory => tracing::warn!(peer, "no memory for a login"),
    }
}

fn open(
    node: &Rc<Node>,
    peer: String,
    outcome: TargetLoginOutcome,
    place: &Reserved,
) -> Rc<Connection> {
    let mut params = outcome.params;
    params.max_send_data_segment_len = params.max_send_data_segment_len.min(SEND_SEGMENT_MAX);
    let config = Config {
        tasks_max: node.limits.tasks_max,
        keepalive_ns: node.limits.keepalive_ns,
        silence_ns: node.limits.silence_ns,
    };
    let start = Start {
        exp_cmd_sn: outcome.exp_cmd_sn,
        stat_sn: outcome.stat_sn,
        cid: outcome.applicant.cid,
    };
    let now = node.core.now();
    let mut session = Session::new(&params, start, config, now);
    let number = node.opened.replace(node.opened.get() + 1);
    let mischief = Mischief::new(&node.faults, number);
    if let Some(places) = mischief.as_ref().and_then(|mischief| mischief.window_max()) {
        session.set_window_max(places);
    }
    let initiator = InitiatorPort { name: place.key.initiator.clone(), isid: place.key.isid.0 };
    let nexus = NexusId { initiator, port: place.key.portal_group };
    if params.session_type == SessionType::Normal {
        node.units().iter().for_each(|unit| unit.machine.borrow_mut().nexus_established(&nexus));
    }
    tracing::info!(initiator = place.key.initiator, peer, tsih = place.tsih, "logged in");
    node.insert(|index| Connection {
        index,
        node: Rc::clone(node),
        key: place.key.clone(),
        nexus,
        tsih: place.tsih,
        peer,
        inner: RefCell::new(Inner {
            session,
            slots: Vec::new(),
            out: Outgoing::new(&node.core, params.header_digest, params.data_digest),
            ledger: Ledger::new(&node.core, &node.shared, node.limits.session_bytes_max),
            mischief,
            counts: SessionCounts::default(),
        }),
        params,
        life: Cell::new(Life::Open),
        is_dirty: Cell::new(false),
        executing: Cell::new(0),
        active_at: Cell::new(now),
        is_to_shrink: Cell::new(false),
        has_large_inbox: Cell::new(false),
        sender: Watch::default(),
        receiver: Watch::default(),
    })
}

/// Full-feature phase: two tasks, until one of them is at its end.
async fn run(connection: &Rc<Connection>, stream: Stream, inbox: Inbox) {
    let stream = Rc::new(stream);
    let sending = send(Rc::clone(connection), Rc::clone(&stream));
    let sender = connection.node.core.spawn(Class::Foreground, "iscsi-send", sending);
    connection.advance();
    if let Err(cut) = receive(connection, &stream, inbox).await {
        tracing::info!(initiator = connection.key.initiator, %cut, "connection is cut");
    }
    connection.kill();
    sender.abort();
    let _ = sender.await;
}

/// Sends batches until the connection is at its end, or the stream is.
async fn send(connection: Rc<Connection>, stream: Rc<Stream>) {
    while let Some(batch) = connection.sender.until(|| connection.next_batch()).await {
        let (result, batch) = stream.send(batch).await;
        connection.batch_sent(batch);
        if let Err(error) = result {
            tracing::debug!(initiator = connection.key.initiator, %error, "cannot send");
            break;
        }
    }
    connection.kill();
}

/// Receives until the peer ends, the connection does, or something is wrong.
async fn receive(
    connection: &Rc<Connection>,
    stream: &Stream,
    mut inbox: Inbox,
) -> Result<(), Cut> {
    let core = &connection.node.core;
    let session = &connection.params;
    let mut incoming = Incoming::new(session.header_digest, session.data_digest);
    while connection.life.get() != Life::Dead {
        let now = core.now();
        connection.active_at.set(now);
        let step = incoming.consume(connection, &mut inbox, now)?;
        connection.advance();
        let direct = match step {
            Step::Receive(direct) => direct,
            Step::Answers => {
                answers_left(connection).await;
                continue;
            }
            Step::Memory => {
                memory_freed(connection).await;
                continue;
            }
        };
        if !receive_once(connection, stream, &mut inbox, &mut incoming, direct).await? {
            break;
        }
    }
    Ok(())
}

/// One receive; false at the end of the stream. Memory that has become too small or too large for
/// the traffic is exchanged around it.
async fn receive_once(
    connection: &Rc<Connection>,
    stream: &Stream,
    inbox: &mut Inbox,
    incoming: &mut Incoming,
    direct: Option<Segment>,
) -> Result<bool, Cut> {
    let core = &connection.node.core;
    let is_direct = direct.is_some();
    let payload = inbox.prepare(direct);
    let interrupted = || {
        let is_to_shrink = !is_direct && connection.is_to_shrink.get();
        (is_to_shrink || connection.life.get() == Life::Dead).then_some(())
    };
    let received = race(stream.receive(payload), connection.receiver.until(interrupted)).await;
    let First::One((result, payload)) = received else {
        connection.is_to_shrink.set(false);
        exchange(connection, inbox, INBOX_SMALL_LEN);
        return Ok(true);
    };
    let Ok(n) = result else { return Ok(false) };
    if let Some((segment, used)) = inbox.finish(payload, n) {
        incoming.direct_arrived(connection, segment, used, core.now())?;
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

/// Waits until the peer has taken some of what it is owed.
async fn answers_left(connection: &Connection) {
    let may_go_on = || {
        let wants = connection.inner.borrow().session.wants_receive();
        (wants || connection.life.get() == Life::Dead).then_some(())
    };
    connection.receiver.until(may_go_on).await;
}

/// Waits until some memory came back.
async fn memory_freed(connection: &Connection) {
    let mut is_second = false;
    let freed =
        connection.node.memory.until(|| std::mem::replace(&mut is_second, true).then_some(()));
    let dead = connection.receiver.until(|| (connection.life.get() == Life::Dead).then_some(()));
    race(freed, dead).await;
}

/// The connection is forgotten once the device has given back what it has of it.
async fn end(connection: &Rc<Connection>) {
    let node = &connection.node;
    node.changed.until(|| (connection.executing.get() == 0).then_some(())).await;
    node.remove(connection);
    let mut inner = connection.inner.borrow_mut();
    let Inner { slots, ledger, .. } = &mut *inner;
    slots.iter_mut().for_each(|slot| ledger.free(slot));
    drop(inner);
    if !connection.key.is_discovery {
        let nexus = &connection.nexus;
        node.units().iter().for_each(|unit| unit.machine.borrow_mut().nexus_lost(nexus));
    }
    tracing::info!(initiator = connection.key.initiator, tsih = connection.tsih, "session over");
    node.memory_changed();
}

//! Keeps the connection alive: open it, serve, and again from the start when it is lost.
//!
//! ```text
//! Opening ──handshake──▶ Up ──lost──▶ Opening
//!    └──trouble──▶ wait ──▶ Opening        for `reconnect_ns` in vain: requests fail, until it opens
//! ```
//! The first attempt after a loss comes at once; further ones wait longer and longer.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use byway_engine::net::{Inbox, Stream};
use byway_proto::nbd::client::Opened;

use super::connect;
use super::leave::Kept;
use super::line::{Line, Stage};
use super::silence::Life;

/// The first wait after an attempt in vain, in nanoseconds; each further one is twice as long.
const WAIT_NS_MIN: u64 = 10_000_000;
/// The longest wait, in nanoseconds.
const WAIT_NS_MAX: u64 = 1_000_000_000;

/// Keeps the connection of `line` alive until the task is aborted.
pub(crate) async fn keep(line: Rc<Line>, mut inbox: Inbox, mut kept: Option<Kept>) {
    let core = Rc::clone(&line.core);
    let (mut wait_ns, mut lost_ns) = (WAIT_NS_MIN, core.now());
    loop {
        match live(&line, &mut inbox, kept.take()).await {
            Ok(Life::Served) => {
                (wait_ns, lost_ns) = (WAIT_NS_MIN, core.now());
                continue;
            }
            Ok(Life::Idle) => lost_ns = core.now(),
            Ok(Life::Mute) => missing(&line, lost_ns),
            Err(trouble) => {
                *line.trouble.borrow_mut() = trouble;
                missing(&line, lost_ns);
            }
        }
        core.sleep(wait_ns).await;
        wait_ns = (wait_ns * 2).min(WAIT_NS_MAX);
    }
}

/// Another attempt in vain: who waits since `lost_ns` may have waited for too long.
fn missing(line: &Line, lost_ns: u64) {
    let config = &line.shared.config;
    tracing::info!(device = config.name, trouble = *line.trouble.borrow(), "no connection");
    let is_late = line.core.now() - lost_ns >= config.reconnect_ns;
    if is_late && line.stage.get() != Stage::Gone {
        line.give_up();
    }
}

/// One connection from its opening to its loss; an error where it could not be opened.
async fn live(line: &Rc<Line>, inbox: &mut Inbox, kept: Option<Kept>) -> Result<Life, String> {
    let (stream, opened) = match kept.and_then(|kept| resume(line, kept)) {
        Some(resumed) => resumed,
        None => connect::open(&line.core, &line.shared.config, line.name()).await?,
    };
    line.shared.check(&opened)?;
    let stream = Rc::new(stream);
    *line.way.borrow_mut() = Some((Rc::clone(&stream), opened.headers));
    line.pulse.restart();
    line.up(&opened);
    serve(line, &stream, inbox).await;
    *line.way.borrow_mut() = None;
    line.down();
    Ok(line.pulse.life())
}

/// Goes on with the connection that opened the device.
fn resume(line: &Line, mut kept: Kept) -> Option<(Stream, Opened)> {
    let stream = kept.take()?.resume(&line.core);
    stream.ok().map(|stream| (stream, kept.opened.clone()))
}

/// Sends and receives until both have ended.
async fn serve(line: &Line, stream: &Stream, inbox: &mut Inbox) {
    inbox.consume(inbox.bytes().len());
    let (mut receive, mut send) = (pin!(line.receive(stream, inbox)), pin!(line.send(stream)));
    let mut watch = pin!(line.watch());
    let (mut received, mut sent, mut is_shut) = (false, false, false);
    poll_fn(|cx| {
        received = received || receive.as_mut().poll(cx).is_ready();
        sent = sent || send.as_mut().poll(cx).is_ready();
        let is_over = line.is_over.get() || watch.as_mut().poll(cx).is_ready();
        if (received || sent || is_over) && !std::mem::replace(&mut is_shut, true) {
            line.end("the connection ended");
            if let Err(error) = stream.shutdown() {
                tracing::debug!(%error, "the connection was gone before");
            }
            received = received || receive.as_mut().poll(cx).is_ready();
            sent = sent || send.as_mut().poll(cx).is_ready();
        }
        if received && sent { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

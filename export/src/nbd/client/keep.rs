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

use super::connect;
use super::line::{Line, Stage};

/// The first wait after an attempt in vain, in nanoseconds; each further one is twice as long.
const WAIT_NS_MIN: u64 = 10_000_000;
/// The longest wait, in nanoseconds.
const WAIT_NS_MAX: u64 = 1_000_000_000;

/// Keeps the connection of `line` alive until the task is aborted.
pub(crate) async fn keep(line: Rc<Line>, mut inbox: Inbox) {
    let core = Rc::clone(&line.core);
    let (mut wait_ns, mut lost_ns) = (WAIT_NS_MIN, core.now());
    loop {
        match live(&line, &mut inbox).await {
            Ok(()) => (wait_ns, lost_ns) = (WAIT_NS_MIN, core.now()),
            Err(trouble) => {
                tracing::info!(device = line.shared.config.name, trouble, "no connection");
                *line.trouble.borrow_mut() = trouble;
                let is_late = core.now() - lost_ns >= line.shared.config.reconnect_ns;
                if is_late && line.stage.get() != Stage::Gone {
                    line.give_up();
                }
                core.sleep(wait_ns).await;
                wait_ns = (wait_ns * 2).min(WAIT_NS_MAX);
            }
        }
    }
}

/// One connection from its opening to its loss; an error where it could not be opened.
async fn live(line: &Rc<Line>, inbox: &mut Inbox) -> Result<(), String> {
    let (stream, opened) = connect::open(&line.core, &line.shared.config, line.name()).await?;
    line.shared.check(&opened)?;
    line.up(&opened);
    serve(line, &stream, inbox).await;
    line.down();
    Ok(())
}

/// Sends and receives until both have ended.
async fn serve(line: &Line, stream: &Stream, inbox: &mut Inbox) {
    inbox.consume(inbox.bytes().len());
    let (mut receive, mut send) = (pin!(line.receive(stream, inbox)), pin!(line.send(stream)));
    let (mut received, mut sent, mut is_shut) = (false, false, false);
    poll_fn(|cx| {
        received = received || receive.as_mut().poll(cx).is_ready();
        sent = sent || send.as_mut().poll(cx).is_ready();
        if (received || sent || line.is_over.get()) && !std::mem::replace(&mut is_shut, true) {
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

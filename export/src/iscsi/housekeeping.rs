//! What happens because time passes: pings, memory of idle sessions.

use std::rc::Rc;

use super::connection::Connection;
use super::node::Node;

/// Between two rounds, in nanoseconds.
const ROUND_NS: u64 = 500_000_000;
/// A session without traffic for that long gives memory back, in nanoseconds.
const IDLE_NS: u64 = 2_000_000_000;

/// Looks after all sessions, round by round.
pub(crate) async fn run(node: Rc<Node>) {
    loop {
        node.core.sleep(ROUND_NS).await;
        let now = node.core.now();
        for connection in node.connections(|_| true) {
            look_after(&connection, now);
        }
        node.memory_changed();
        node.memory.changed();
    }
}

fn look_after(connection: &Rc<Connection>, now: u64) {
    let mut inner = connection.inner.borrow_mut();
    let is_due = inner.session.poll_timeout().is_some_and(|due| due <= now);
    if is_due {
        inner.session.handle_timeout(now);
    }
    let is_idle = now.saturating_sub(connection.active_at.get()) >= IDLE_NS;
    if is_idle && inner.session.live_tasks() == 0 {
        inner.out.shrink();
        if connection.has_large_inbox.get() {
            connection.is_to_shrink.set(true);
        }
    }
    drop(inner);
    // A batch that found no memory is tried again here, too.
    connection.advance();
}

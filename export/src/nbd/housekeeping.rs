//! What happens because time passes: memory of idle connections, and of those that keep it from others.

use std::rc::Rc;

use super::connection::Connection;
use super::node::Node;

/// Between two rounds, in nanoseconds.
const ROUND_NS: u64 = 500_000_000;
/// A connection without traffic for that long gives memory back, in nanoseconds.
const IDLE_NS: u64 = 2_000_000_000;

/// Looks after all connections, round by round.
pub(crate) async fn run(node: Rc<Node>) {
    loop {
        node.core.sleep(ROUND_NS).await;
        let now = node.core.now();
        let is_starving = node.starving.get() > 0;
        for connection in node.connections(|_| true) {
            let quiet_ns = now.saturating_sub(connection.active_at.get());
            if quiet_ns >= IDLE_NS {
                give_back(&connection);
            }
            if is_starving && quiet_ns >= node.limits.stall_ns {
                cut_stalled(&connection);
            }
            // A batch that found no memory is tried again here, too.
            connection.advance();
        }
        node.memory_changed();
        node.memory.changed();
    }
}

fn give_back(connection: &Connection) {
    let mut inner = connection.inner.borrow_mut();
    if inner.slots.used() > 0 {
        return;
    }
    connection.rhythm.borrow_mut().end();
    inner.slots.shrink();
    inner.ready = Default::default();
    inner.out.shrink();
    if connection.has_large_inbox.get() {
        connection.is_to_shrink.set(true);
    }
}

/// Others wait for memory that this one has, and it does nothing about it: its client neither reads
/// nor goes on writing.
fn cut_stalled(connection: &Connection) {
    let inner = connection.inner.borrow();
    let is_stalled = inner.charged > 0 && inner.at_device == 0;
    drop(inner);
    if is_stalled {
        tracing::warn!(peer = connection.peer, "keeps memory from others and stands still: cut");
        connection.kill();
    }
}

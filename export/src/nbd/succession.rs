//! Who comes after whom: a client that lost its connection and comes again ends what it left, on
//! whichever core that is served.
//!
//! Invariant: once a claim is made, of the earlier claims of the same client none begins, and a claim
//! that [`Claim::wait`] has let through is the only one of its client that has begun. So nothing that
//! was asked for on an earlier connection is executed after that, however late it arrives.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use byway_proto::nbd::context::ClientId;

use super::guests::Guests;
use super::node::Node;

/// A connection of a client: the client, and when it came among all connections.
type Key = (ClientId, u64);

/// The clients that have a name: whether each of their connections has begun its transmission.
#[derive(Default)]
pub(crate) struct Names {
    claims: BTreeMap<Key, bool>,
    claims_ever: u64,
    /// Tasks of any core that look again after a change.
    waiting: Vec<Waker>,
}

impl Names {
    fn add(&mut self, client: ClientId) -> Key {
        let key = (client, self.claims_ever);
        self.claims_ever += 1;
        self.claims.insert(key, false);
        key
    }

    fn is_superseded(&self, (client, nth): Key) -> bool {
        self.claims.range((client, nth + 1)..=(client, u64::MAX)).next().is_some()
    }

    fn has_earlier(&self, (client, nth): Key) -> bool {
        self.claims.range((client, 0)..(client, nth)).any(|(_, has_begun)| *has_begun)
    }

    fn wait(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|known| known.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }

    /// Those who are to be woken after a change.
    pub(crate) fn take_waiting(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.waiting)
    }
}

/// One connection of a client that has a name, from its handshake to its very end.
pub(crate) struct Claim {
    guests: Arc<Guests>,
    key: Key,
}

impl Claim {
    /// The client is here anew: its earlier connections are cut, those of other servers by their own
    /// [`keep_order`].
    pub(crate) fn new(node: &Rc<Node>, client: ClientId) -> Claim {
        let guests = Arc::clone(&node.guests);
        let key = guests.change_names(|names| names.add(client));
        cut_superseded(node);
        Claim { guests, key }
    }

    /// Waits until nothing of the earlier connections is left.
    pub(crate) async fn wait(&self) {
        poll_fn(|cx| {
            let mut names = self.guests.names();
            if !names.has_earlier(self.key) {
                return Poll::Ready(());
            }
            names.wait(cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// The client is let in; false where it has come yet again.
    pub(crate) fn begin(&self) -> bool {
        let mut names = self.guests.names();
        let may_begin = !names.is_superseded(self.key);
        if may_begin {
            names.claims.insert(self.key, true);
        }
        may_begin
    }

    /// The client has come again.
    pub(crate) fn is_superseded(&self) -> bool {
        self.guests.names().is_superseded(self.key)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.guests.change_names(|names| names.claims.remove(&self.key));
    }
}

/// Cuts connections whose clients have come again.
fn cut_superseded(node: &Node) {
    let superseded = node.connections(|one| one.claim.as_ref().is_some_and(Claim::is_superseded));
    superseded.iter().for_each(|one| one.kill());
}

/// Cuts connections whose clients have come again at another server.
pub(crate) async fn keep_order(node: Rc<Node>) {
    let mut seen = 0;
    loop {
        poll_fn(|cx| {
            let mut names = node.guests.names();
            if std::mem::replace(&mut seen, names.claims_ever) != names.claims_ever {
                return Poll::Ready(());
            }
            names.wait(cx.waker());
            Poll::Pending
        })
        .await;
        cut_superseded(&node);
    }
}

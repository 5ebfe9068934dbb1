//! Who comes after whom: a client that lost its connection and comes again ends what it left.
//!
//! Invariant: once a claim is made, of the earlier claims of the same client none begins, and a claim
//! that [`Claim::wait`] has let through is the only one of its client that has begun. So nothing that
//! was asked for on an earlier connection is executed after that, however late it arrives.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use byway_proto::nbd::context::ClientId;

use super::node::Node;

/// The clients that have a name: whether each of their connections has begun its transmission.
#[derive(Default)]
pub(crate) struct Clients {
    claims: RefCell<BTreeMap<(ClientId, u64), bool>>,
    claims_ever: Cell<u64>,
}

impl Clients {
    fn is_superseded(&self, (client, nth): (ClientId, u64)) -> bool {
        let claims = self.claims.borrow();
        claims.range((client, nth + 1)..=(client, u64::MAX)).next().is_some()
    }

    fn has_earlier(&self, (client, nth): (ClientId, u64)) -> bool {
        let claims = self.claims.borrow();
        claims.range((client, 0)..(client, nth)).any(|(_, has_begun)| *has_begun)
    }
}

/// One connection of a client that has a name, from its handshake to its very end.
pub(crate) struct Claim {
    node: Rc<Node>,
    key: (ClientId, u64),
}

impl Claim {
    /// The client is here anew: its earlier connections are cut.
    pub(crate) fn new(node: &Rc<Node>, client: ClientId) -> Claim {
        let clients = &node.clients;
        let key = (client, clients.claims_ever.get());
        clients.claims_ever.set(key.1 + 1);
        clients.claims.borrow_mut().insert(key, false);
        let claim = Claim { node: Rc::clone(node), key };
        node.connections(|other| other.claim.as_ref().is_some_and(Claim::is_superseded))
            .iter()
            .for_each(|other| other.kill());
        claim
    }

    /// Waits until nothing of the earlier connections is left.
    pub(crate) async fn wait(&self) {
        let is_alone = || (!self.node.clients.has_earlier(self.key)).then_some(());
        self.node.changed.until(is_alone).await;
    }

    /// The client is let in; false where it has come yet again.
    pub(crate) fn begin(&self) -> bool {
        let may_begin = !self.is_superseded();
        if may_begin {
            self.node.clients.claims.borrow_mut().insert(self.key, true);
        }
        may_begin
    }

    /// The client has come again.
    pub(crate) fn is_superseded(&self) -> bool {
        self.node.clients.is_superseded(self.key)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.node.clients.claims.borrow_mut().remove(&self.key);
        self.node.changed.changed();
    }
}

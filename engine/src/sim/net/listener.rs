//! Listening on a simulated host.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::super::SimHost;
use super::packet::EndId;
use super::{Net, SimStream, address_of};
use crate::core::Core;
use crate::net::{Address, NetError, NetErrorKind};

/// Connections that wait for an `accept`; beyond, a connect waits until it times out.
const BACKLOG_MAX: usize = 128;

/// What waits for a listener's `accept`.
#[derive(Default)]
pub(super) struct Backlog {
    ends: VecDeque<EndId>,
    waker: Option<Waker>,
}

impl Backlog {
    pub(super) fn is_full(&self) -> bool {
        self.ends.len() == BACKLOG_MAX
    }

    pub(super) fn push(&mut self, end: EndId) -> Option<Waker> {
        self.ends.push_back(end);
        self.waker.take()
    }
}

/// A listener of a simulated host.
pub struct SimListener {
    host: Rc<SimHost>,
    address: Address,
}

impl SimListener {
    /// Listens at `address` on the core's host. Port zero is replaced by a free one, and an
    /// unspecified IP address by the host's.
    pub fn bind(core: &Rc<Core>, address: &Address) -> Result<SimListener, NetError> {
        let host = host_of(core, address)?;
        let mut net = host.net().borrow_mut();
        let address = net.local_address(&host, address);
        let key = (host.id(), address.to_string());
        if net.backlogs.contains_key(&key) {
            let why = "listen: somebody listens there already";
            return Err(NetError::new(NetErrorKind::InUse, &address, why));
        }
        net.backlogs.insert(key, Backlog::default());
        drop(net);
        Ok(SimListener { host, address })
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The next connection, and where it comes from.
    pub async fn accept(&self) -> Result<(SimStream, Address), NetError> {
        let key = (self.host.id(), self.address.to_string());
        poll_fn(|cx| {
            let mut net = self.host.net().borrow_mut();
            let Some(backlog) = net.backlogs.get_mut(&key) else {
                let error = NetError::new(NetErrorKind::Closed, &self.address, "accept: closed");
                return Poll::Ready(Err(error));
            };
            let Some(end) = backlog.ends.pop_front() else {
                backlog.waker = Some(cx.waker().clone());
                return Poll::Pending;
            };
            let remote = net.ends.get(&end).map(|end| end.remote.clone());
            drop(net);
            let remote = remote.unwrap_or_else(|| self.address.clone());
            Poll::Ready(Ok((SimStream::new(&self.host, end, remote.clone()), remote)))
        })
        .await
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let mut net = self.host.net().borrow_mut();
        if !net.is_alive(&self.host) {
            return;
        }
        let backlog = net.backlogs.remove(&(self.host.id(), self.address.to_string()));
        let ends = backlog.map(|backlog| backlog.ends).unwrap_or_default();
        ends.into_iter().for_each(|end| net.close(end));
    }
}

/// The simulated host that a core runs on.
pub(super) fn host_of(core: &Rc<Core>, address: &Address) -> Result<Rc<SimHost>, NetError> {
    core.sim_host().cloned().ok_or_else(|| {
        NetError::new(NetErrorKind::Unsupported, address, "the core is not a simulated one")
    })
}

impl Net {
    /// The address that a listener really gets.
    fn local_address(&mut self, host: &SimHost, address: &Address) -> Address {
        let Address::Tcp(asked) = address else { return address.clone() };
        let port = if asked.port() == 0 { self.free_port() } else { asked.port() };
        if asked.ip().is_unspecified() {
            return address_of(host.id(), port);
        }
        Address::Tcp((asked.ip(), port).into())
    }
}

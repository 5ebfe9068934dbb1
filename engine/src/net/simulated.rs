//! A stream of the simulation under the methods of a stream: exact receives, and dropped ones that
//! lose no bytes, as on the kernel.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Address, NetError, NetErrorKind};
use crate::block::Payload;
use crate::core::Core;
use crate::memory::Lease;
use crate::sim::SimStream;

pub(super) struct SimulatedStream {
    stream: SimStream,
    /// What a dropped receive had taken.
    rest: RefCell<Vec<u8>>,
}

impl SimulatedStream {
    pub(super) fn new(stream: SimStream) -> SimulatedStream {
        SimulatedStream { stream, rest: RefCell::default() }
    }

    pub(super) async fn connect(
        core: &Rc<Core>,
        address: &Address,
    ) -> Result<SimulatedStream, NetError> {
        SimStream::connect(core, address).await.map(SimulatedStream::new)
    }

    /// The simulation's own end.
    pub(super) fn end(&self) -> &SimStream {
        &self.stream
    }

    /// True where no dropped receive left bytes.
    pub(super) fn is_idle(&self) -> bool {
        self.rest.borrow().is_empty()
    }

    pub(super) async fn receive(
        &self,
        mut payload: Payload,
        whole: bool,
    ) -> (Result<usize, NetError>, Payload) {
        let len = payload.len();
        let mut taken = Taken { bytes: self.rest.take(), rest: &self.rest };
        while taken.len() < len && (whole || taken.len() == 0) {
            match self.stream.receive_bytes(len - taken.len()).await {
                Ok(bytes) if bytes.is_empty() && whole => {
                    let detail = format!("the peer ended after {} of {len} bytes", taken.len());
                    let kind = NetErrorKind::Closed;
                    return (Err(NetError::new(kind, self.stream.peer(), detail)), payload);
                }
                Ok(bytes) if bytes.is_empty() => break,
                Ok(bytes) => taken.bytes.extend(bytes),
                Err(error) => return (Err(error), payload),
            }
        }
        let n = taken.len().min(len) as usize;
        payload.copy_from(0, &taken.bytes[..n]);
        taken.bytes.drain(..n);
        (Ok(n), payload)
    }

    pub(super) async fn send(
        &self,
        header: Option<Lease>,
        payload: Payload,
    ) -> (Result<(), NetError>, Option<Lease>, Payload) {
        let Some(header) = header else {
            let (result, payload) = self.stream.send(payload).await;
            return (result, None, payload);
        };
        let (result, head) = self.stream.send(header.into()).await;
        let header = head.into_lease();
        if result.is_err() {
            return (result, header, payload);
        }
        let (result, payload) = self.stream.send(payload).await;
        (result, header, payload)
    }
}

/// Bytes on their way into a payload; what is left of them is the next receive's.
struct Taken<'a> {
    bytes: Vec<u8>,
    rest: &'a RefCell<Vec<u8>>,
}

impl Taken<'_> {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.rest.borrow_mut() = std::mem::take(&mut self.bytes);
    }
}

//! A block device from any thread or runtime: requests travel over bounded rings to the reactor
//! that drives the device, and their completions come back through slots.
//!
//! Invariants: a slot has one request at a time and is free again only after its completion was
//! taken (or its future dropped and the completion arrived); the request ring has room for every
//! slot, so a request with a slot is never refused; nothing is lost when the reactor ends, its
//! requests complete as aborted.

mod service;
mod slots;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use crate::block::{BlockDevice, Completion, DeviceInfo, Io, IoResult};
use crate::core::CoreHandle;
use crate::error::{ErrorKind, IoError, SetupError};
use crate::memory::{Arena, Lease};
use crate::reactor::ReactorThread;
use slots::{Look, Shared};

/// The end of a request that carried a lease. The lease comes back, except where the reactor ended
/// while the device still held it.
pub type ClientResult = (Result<(), Box<IoError>>, Option<Lease>);

/// A handle on a device that a reactor drives. Clones share it; any thread may use it.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    core: CoreHandle,
    arena: Arena,
    info: Arc<DeviceInfo>,
}

impl Client {
    /// Opens `device` on the reactor, for at most `depth` requests at once.
    pub fn open(
        reactor: &ReactorThread,
        device: Arc<dyn BlockDevice>,
        depth: u32,
    ) -> Result<Client, SetupError> {
        let info = Arc::new(device.info());
        let depth = depth.clamp(1, info.depth_max);
        let shared = Arc::new(Shared::new(depth));
        let theirs = Arc::clone(&shared);
        let (report, opened) = mpsc::sync_channel(1);
        let open = move |core: &std::rc::Rc<crate::core::Core>| {
            let service = service::open(core, &*device, theirs);
            // The opener waits for this report, so the channel is open.
            let _reported = report.send(service.map(|()| core.arena().clone()));
        };
        let gone = || SetupError::new(info.name.clone(), "its reactor has ended", "start another");
        reactor.handle().send(Box::new(open)).map_err(|_| gone())?;
        let arena = opened.recv().map_err(|_| gone())??;
        Ok(Client { shared, core: reactor.handle(), arena, info })
    }

    /// Geometry and abilities as of the opening.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// A lease of the reactor's memory, which it can use without a copy.
    pub fn lease(&self, len: u32) -> Option<Lease> {
        self.arena.lease(len)
    }

    /// Starts a request when first polled. The tag is replaced.
    pub fn submit(&self, io: Io) -> ClientRequest {
        ClientRequest { client: self.clone(), state: State::Unsent(io) }
    }

    /// Fills `lease` from `offset` on.
    pub async fn read(&self, offset: u64, lease: Lease) -> ClientResult {
        give_back(self.submit(Io::read(offset, lease)).await)
    }

    /// Writes `lease` at `offset`.
    pub async fn write(&self, offset: u64, lease: Lease) -> ClientResult {
        give_back(self.submit(Io::write(offset, lease)).await)
    }

    /// Makes every write durable that completed before.
    pub async fn flush(&self) -> Result<(), Box<IoError>> {
        self.submit(Io::flush()).await.result.map(drop)
    }

    /// Runs one request and blocks the calling thread until its end. Not for reactor threads.
    pub fn run_blocking(&self, io: Io) -> Completion {
        block_on(self.submit(io))
    }

    /// Fills `lease` from `offset` on, blocking the calling thread.
    pub fn read_blocking(&self, offset: u64, lease: Lease) -> ClientResult {
        give_back(self.run_blocking(Io::read(offset, lease)))
    }

    /// Writes `lease` at `offset`, blocking the calling thread.
    pub fn write_blocking(&self, offset: u64, lease: Lease) -> ClientResult {
        give_back(self.run_blocking(Io::write(offset, lease)))
    }

    /// Makes every write durable that completed before, blocking the calling thread.
    pub fn flush_blocking(&self) -> IoResult {
        self.run_blocking(Io::flush()).result
    }
}

fn give_back(completion: Completion) -> ClientResult {
    (completion.result.map(drop), completion.payload.into_lease())
}

enum State {
    Unsent(Io),
    Sent(u32),
    Over,
}

/// A request on its way; `Send`, for any runtime.
pub struct ClientRequest {
    client: Client,
    state: State,
}

impl Future for ClientRequest {
    type Output = Completion;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Completion> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Unsent(io) => self.send(io, cx),
            State::Sent(slot) => match self.client.shared.look(slot, cx.waker()) {
                Look::Done(completion) => Poll::Ready(completion),
                Look::Pending => {
                    self.state = State::Sent(slot);
                    Poll::Pending
                }
            },
            State::Over => panic!("a request was polled after its end"),
        }
    }
}

impl ClientRequest {
    fn send(&mut self, io: Io, cx: &mut Context<'_>) -> Poll<Completion> {
        let shared = &self.client.shared;
        if shared.is_closed() || !self.client.core.is_alive() {
            return Poll::Ready(gone(io));
        }
        match shared.submit(io, cx.waker()) {
            Ok(slot) => {
                self.client.core.notify();
                self.state = State::Sent(slot);
            }
            Err(io) => self.state = State::Unsent(io),
        }
        Poll::Pending
    }
}

impl Drop for ClientRequest {
    fn drop(&mut self) {
        if let State::Sent(slot) = self.state {
            self.client.shared.abandon(slot);
        }
    }
}

fn gone(io: Io) -> Completion {
    io.failed(ErrorKind::Aborted { maybe_written: false }, "the reactor of this client has ended")
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls a future to its end on the calling thread, which is parked meanwhile.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        std::thread::park();
    }
}

//! Pages for those who connect, by a task of the reactor's lowest class.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use byway_engine::block::Payload;
use byway_engine::core::Core;
use byway_engine::error::SetupError;
use byway_engine::exec::{Class, JoinHandle};
use byway_engine::net::{Address, ListenOptions, Listener, Stream};

use super::request::{REQUEST_LEN_MAX, Request, Status, parse};

/// Connections that are served at once.
pub const CONNECTIONS_MAX: u32 = 16;
/// How long a client may take to ask and to read, in nanoseconds.
pub const REQUEST_NS: u64 = 5_000_000_000;
/// How long a listener that failed, or has too many clients, is left alone, in nanoseconds.
const PAUSE_NS: u64 = 20_000_000;
/// Bytes of an answer that leave at once.
const PIECE_LEN: usize = 64 << 10;

/// A page: what kind of content it is, and how it is made when somebody asks.
#[derive(Clone)]
pub struct Page {
    /// Its path, such as `/metrics`.
    pub path: &'static str,
    /// What it consists of (RFC 9110, section 8.3).
    pub content_type: &'static str,
    /// Makes it, which may take a while.
    pub make: Rc<dyn Fn() -> Text>,
}

/// The text of a page, once it is there.
pub type Text = Pin<Box<dyn Future<Output = String>>>;

/// Serves pages until it is dropped.
pub struct Server {
    address: Address,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens on `address`.
    ///
    /// # Errors
    /// Where it cannot be listened on.
    pub fn start(
        core: &Rc<Core>,
        address: &Address,
        pages: Vec<Page>,
    ) -> Result<Server, SetupError> {
        let listener = Listener::bind(core, address, ListenOptions::default())?;
        let address = listener.local_address().clone();
        let accepting = accept(Rc::clone(core), listener, pages.into());
        let accepting = core.spawn(Class::Background, "http-accept", accepting);
        Ok(Server { address, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Stops listening; the address is free when this ends.
    pub async fn stop(self) {
        self.accepting.abort();
        // The task is gone when it is over; what it ended with does not matter.
        let Server { accepting, .. } = self;
        let _aborted = accepting.await;
    }
}

async fn accept(core: Rc<Core>, listener: Listener, pages: Rc<[Page]>) {
    let served = Rc::new(Cell::new(0));
    loop {
        while served.get() >= CONNECTIONS_MAX {
            core.sleep(PAUSE_NS).await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                let counted = Counted::new(&served);
                let (pages, own) = (Rc::clone(&pages), Rc::clone(&core));
                let serving = async move {
                    serve(&own, &stream, &pages).await;
                    drop(counted);
                };
                drop(core.spawn(Class::Background, "http-serve", serving));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                core.sleep(PAUSE_NS).await;
            }
        }
    }
}

/// Counts a connection while it is served.
struct Counted(Rc<Cell<u32>>);

impl Counted {
    fn new(served: &Rc<Cell<u32>>) -> Counted {
        served.set(served.get() + 1);
        Counted(Rc::clone(served))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Answers one request. The stream is shut down when the time is over, which ends what it waits for.
async fn serve(core: &Rc<Core>, stream: &Stream, pages: &[Page]) {
    let work = std::pin::pin!(answer(core, stream, pages));
    let late = std::pin::pin!(core.sleep(REQUEST_NS));
    futures_util::future::select(work, late).await;
}

async fn answer(core: &Rc<Core>, stream: &Stream, pages: &[Page]) {
    let mut head = Vec::new();
    let (status, content_type, body, head_only) = loop {
        match parse(&head) {
            Ok(Some(request)) => break find(&request, pages).await,
            Err(status) => break (status, "text/plain", status.body(), false),
            Ok(None) => {}
        }
        let Some(memory) = core.lease(REQUEST_LEN_MAX as u32) else { return };
        let (got, payload) = stream.receive(memory.into()).await;
        let Ok(got @ 1..) = got else { return };
        let start = head.len();
        head.resize(start + got, 0);
        payload.copy_to(0, &mut head[start..]);
    };
    let mut text = status.head(content_type, body.len());
    if !head_only {
        text.push_str(&body);
    }
    for piece in text.as_bytes().chunks(PIECE_LEN) {
        let Some(memory) = core.lease(piece.len() as u32) else { return };
        let mut payload = Payload::from(memory);
        payload.copy_from(0, piece);
        if stream.send(payload).await.0.is_err() {
            return;
        }
    }
    let _ended = stream.shutdown_write();
    linger(core, stream).await;
}

/// Waits for the client to leave: closing before it has read everything would cut the answer off.
async fn linger(core: &Rc<Core>, stream: &Stream) {
    while let Some(memory) = core.lease(512) {
        if !matches!(stream.receive(memory.into()).await.0, Ok(1..)) {
            return;
        }
    }
}

async fn find(request: &Request<'_>, pages: &[Page]) -> (Status, &'static str, String, bool) {
    match pages.iter().find(|page| page.path == request.path) {
        Some(page) => (Status::Ok, page.content_type, (page.make)().await, request.head_only),
        None => (Status::NotFound, "text/plain", Status::NotFound.body(), request.head_only),
    }
}

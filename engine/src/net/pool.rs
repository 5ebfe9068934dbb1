//! Buffers that receives share, and the chunks of bytes that come out of them.
//!
//! Invariants: a chunk is the only owner of its bytes; when it is dropped its buffer is given back
//! and whoever waits for one is woken; never more than the pool's number of chunks are out.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::ops::Deref;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::buffer_ring::BufferRing;
use crate::core::Core;
use crate::error::SetupError;
use crate::memory::{Arena, LEASE_LEN_MAX, Lease};
use crate::ring::Feature;

/// The most chunks of one pool: the kernel's limit for a ring of buffers.
pub const CHUNKS_MAX: u16 = 1 << 15;

/// How large a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Chunks, rounded up to a power of two, at most [`CHUNKS_MAX`].
    pub chunks: u16,
    /// Bytes of a chunk, at most [`LEASE_LEN_MAX`].
    pub chunk_len: u32,
}

impl Default for PoolOptions {
    fn default() -> Self {
        PoolOptions { chunks: 64, chunk_len: 16 << 10 }
    }
}

/// Buffers for receives of one core, shared by any number of streams.
pub struct ReceivePool {
    arena: Arena,
    chunk_len: u32,
    chunks: u16,
    /// Where the kernel picks buffers itself.
    ring: Option<BufferRing>,
    /// Numbers of buffers that left for good and are not replaced yet.
    vacant: RefCell<Vec<u16>>,
    /// Chunks that are out.
    out: Cell<u16>,
    /// Rises with every buffer given back.
    returns: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl ReceivePool {
    /// Takes the buffers from the core's arena, and hands them to the kernel where it picks itself.
    pub fn new(core: &Rc<Core>, options: PoolOptions) -> Result<Rc<ReceivePool>, SetupError> {
        let PoolOptions { chunks, chunk_len } = options;
        let thing = || format!("receive pool of {chunks} chunks of {chunk_len} bytes");
        if !(1..=CHUNKS_MAX).contains(&chunks) || !(1..=LEASE_LEN_MAX).contains(&chunk_len) {
            let remedy = format!("use 1 to {CHUNKS_MAX} chunks of 1 to {LEASE_LEN_MAX} bytes");
            return Err(SetupError::new(thing(), "out of range", remedy));
        }
        let mut pool = ReceivePool {
            arena: core.arena().clone(),
            chunk_len,
            chunks: chunks.next_power_of_two(),
            ring: None,
            vacant: RefCell::default(),
            out: Cell::new(0),
            returns: Cell::new(0),
            waiting: RefCell::default(),
        };
        pool.connect(core).map_err(|problem| {
            SetupError::new(thing(), problem, "use fewer or smaller chunks, or a larger arena")
        })?;
        Ok(Rc::new(pool))
    }

    /// Gives all buffers to the kernel, where it takes them.
    fn connect(&mut self, core: &Rc<Core>) -> Result<(), String> {
        let has = |feature| core.features().has(feature);
        let (true, true, Some(ops)) =
            (has(Feature::BufferRing), has(Feature::MultishotReceive), core.ops())
        else {
            return Ok(());
        };
        let ring = BufferRing::new(ops.ring(), &self.arena, self.chunks);
        let ring = ring.map_err(|e| e.to_string())?;
        self.ring = Some(ring);
        self.vacant.get_mut().extend((0..self.chunks).rev());
        if self.refill() < self.chunks {
            return Err("the arena is used up".into());
        }
        Ok(())
    }

    /// Bytes of a chunk.
    pub fn chunk_len(&self) -> u32 {
        self.chunk_len
    }

    /// Chunks that are out.
    pub fn out(&self) -> u16 {
        self.out.get()
    }

    /// The group that the kernel picks buffers from, where it does.
    pub(super) fn group(&self) -> Option<u16> {
        self.ring.as_ref().map(BufferRing::group)
    }

    pub(super) fn returns(&self) -> u64 {
        self.returns.get()
    }

    /// Replaces buffers that left for good; tells how many.
    fn refill(&self) -> u16 {
        let Some(ring) = &self.ring else { return 0 };
        let mut vacant = self.vacant.borrow_mut();
        let mut filled = 0;
        while !vacant.is_empty()
            && let Some(buffer) = self.arena.lease(self.chunk_len)
            && let Some(index) = vacant.pop()
        {
            ring.provide(index, buffer);
            filled += 1;
        }
        filled
    }

    /// The first `len` bytes of the buffer that a completion named.
    pub(super) fn chunk(self: &Rc<Self>, index: u16, len: u32) -> Chunk {
        let ring = self.ring.as_ref().expect("only a ring of buffers has numbers");
        let mut lease = ring.take(index);
        lease.set_len(len);
        self.out.set(self.out.get() + 1);
        Chunk { pool: Rc::clone(self), index, lease: Some(lease) }
    }

    /// A whole chunk to receive into, where the kernel does not pick; `None` while all are out.
    pub(super) fn empty_chunk(self: &Rc<Self>) -> Option<Chunk> {
        if self.out.get() >= self.chunks {
            return None;
        }
        let lease = self.arena.lease(self.chunk_len)?;
        self.out.set(self.out.get() + 1);
        Some(Chunk { pool: Rc::clone(self), index: 0, lease: Some(lease) })
    }

    /// Nobody took what a completion named.
    pub(super) fn put_back(&self, index: u16) {
        let Some(ring) = &self.ring else { return };
        let buffer = ring.take(index);
        self.provide(ring, index, buffer);
        self.wake();
    }

    fn provide(&self, ring: &BufferRing, index: u16, mut buffer: Lease) {
        buffer.set_len(self.chunk_len);
        ring.provide(index, buffer);
    }

    /// A chunk ended; its buffer comes back, or left for good.
    fn end(&self, index: u16, buffer: Option<Lease>) {
        self.out.set(self.out.get() - 1);
        if let Some(ring) = &self.ring {
            match buffer {
                Some(buffer) => self.provide(ring, index, buffer),
                None => self.vacant.borrow_mut().push(index),
            }
            self.refill();
        }
        self.wake();
    }

    fn wake(&self) {
        self.returns.set(self.returns.get() + 1);
        self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
    }

    /// True where nothing is out, so that nothing can come back, and the arena has nothing either.
    pub(super) fn is_dry(&self) -> bool {
        let vacant = self.vacant.borrow().len() == usize::from(self.chunks);
        self.out.get() == 0 && (self.ring.is_none() || vacant)
    }

    /// Ends when more has been given back than at the count of `seen`, or a buffer was replaced.
    pub(super) async fn returned(&self, seen: u64) {
        poll_fn(|cx| {
            if self.returns.get() != seen || self.refill() > 0 {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

/// Received bytes. Dropping it gives its buffer back to the pool.
pub struct Chunk {
    pool: Rc<ReceivePool>,
    index: u16,
    lease: Option<Lease>,
}

impl Chunk {
    /// Takes the bytes for good, for instance to write them to a device without a copy. The pool
    /// takes another buffer from the arena, as soon as there is one.
    pub fn into_lease(mut self) -> Lease {
        self.lease.take().expect("there until dropped")
    }

    /// The memory, to be received into.
    pub(super) fn take(&mut self) -> Lease {
        self.lease.take().expect("there until dropped")
    }

    pub(super) fn put(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.lease.as_ref().expect("there until dropped")
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.pool.end(self.index, self.lease.take());
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} bytes)", self.len())
    }
}

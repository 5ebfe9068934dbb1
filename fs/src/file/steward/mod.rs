//! Where a file is at home: the core of its volume, where its extents are looked up and changed.
//!
//! One task serves a file: asks of its channels and errands, one after the other, so that no two
//! changes of its extents interleave. What channels tell by themselves (written, not written,
//! forgotten, gone) is heard at once, also while the task waits.
//!
//! Invariants: blocks that never held data of the file are granted to a writer, and read as zeroes
//! until it has written them; extents change their place, their sharing or their file only when no
//! channel knows them any more and nothing is in flight on them; an extent is written in the tree
//! only after a flush of the device that followed the write.

mod bytes;
mod clone;
mod cow;
mod flush;
mod lookup;
mod policy;
mod size;
mod status;
mod write;
mod zero;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};
use std::task::Poll;

use byway_engine::block::{IoResult, Op as IoOp, Outcome};
use byway_engine::core::{CoreHandle, yield_now};
use byway_engine::error::IoError;

use super::channel::BLOCK;
use super::errand::{Errand, Reply, Ticket};
use super::fresh::{Fresh, Granted};
use super::ground::Ground;
use super::message::{Asker, ChannelId, Need, ToChannel, ToHome, kind_of};
use super::shared::Facts;
use crate::inode::InodeRef;
use crate::store::FsError;

/// A channel as the home knows it.
struct Member {
    id: ChannelId,
    to: SyncSender<ToChannel>,
    core: CoreHandle,
    /// It may remember that blocks are zeroes.
    knows_zeroes: bool,
}

/// Something to be done, in its turn.
enum Item {
    Ask(Asker, Need),
    Do(Errand, Arc<Ticket>),
}

/// How space is given to a file that grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// Runs of 1 MiB, aligned: the image of a virtual machine.
    pub(super) is_vm: bool,
    /// Blocks that the next window gets, for a file that is written in order.
    next: u64,
    /// Where a file that is written in order goes on.
    end: u64,
}

/// The home of one file.
pub(super) struct Home {
    ground: Ground,
    facts: Arc<Facts>,
    at: InodeRef,
    inbox: Receiver<ToHome>,
    backlog: VecDeque<Item>,
    members: Vec<Member>,
    fresh: Fresh,
    granted: Granted,
    window: Window,
    /// Blocks that were allocated before they were asked for.
    ahead: Vec<Range<u64>>,
    /// Demands to forget so far, and who did not answer the last one yet.
    forgets: u64,
    forgetting: Vec<ChannelId>,
    is_closed: bool,
}

impl Home {
    pub(super) fn new(
        ground: Ground,
        facts: Arc<Facts>,
        at: InodeRef,
        is_vm: bool,
        inbox: Receiver<ToHome>,
    ) -> Home {
        Home {
            ground,
            facts,
            at,
            inbox,
            backlog: VecDeque::new(),
            members: Vec::new(),
            fresh: Fresh::default(),
            granted: Granted::default(),
            window: Window { is_vm, ..Window::default() },
            ahead: Vec::new(),
            forgets: 0,
            forgetting: Vec::new(),
            is_closed: false,
        }
    }

    /// Serves the file until its last handle and channel are gone, and nothing of it is in memory
    /// alone.
    pub(super) async fn serve(mut self) {
        while let Some(item) = self.next_item().await {
            match item {
                Item::Ask(asker, need) => self.answer(asker, need).await,
                Item::Do(errand, ticket) => ticket.settle(self.run_errand(errand).await),
            }
            if self.fresh.len() > FRESH_RUNS_MAX {
                self.settle_or_warn().await;
            }
        }
        self.release_ahead().await;
        self.settle_or_warn().await;
    }

    /// Nobody waits for the outcome: what stays fresh is flushed later, or is zero after a crash,
    /// which is what the writers were promised.
    async fn settle_or_warn(&mut self) {
        if let Err(error) = self.settle().await {
            tracing::warn!(ino = self.at.ino, %error, "a file's new blocks are not settled");
        }
    }

    async fn next_item(&mut self) -> Option<Item> {
        loop {
            self.hear();
            if let Some(item) = self.backlog.pop_front() {
                return Some(item);
            }
            if self.is_closed {
                return None;
            }
            self.wait().await;
        }
    }

    /// Ends when a message is there, and hears it.
    async fn wait(&mut self) {
        let message = poll_fn(|cx| {
            self.facts.set_waker(cx.waker());
            match self.inbox.try_recv() {
                Ok(message) => Poll::Ready(Some(message)),
                Err(TryRecvError::Disconnected) => Poll::Ready(None),
                Err(TryRecvError::Empty) => Poll::Pending,
            }
        });
        match message.await {
            Some(message) => self.take(message),
            None => self.is_closed = true,
        }
    }

    /// Hears everything that was said.
    fn hear(&mut self) {
        loop {
            match self.inbox.try_recv() {
                Ok(message) => self.take(message),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.is_closed = true;
                    return;
                }
            }
        }
    }

    fn take(&mut self, message: ToHome) {
        match message {
            ToHome::Open { channel: id, to, core } => {
                self.members.push(Member { id, to, core, knows_zeroes: false });
            }
            ToHome::Close(channel) => {
                self.members.retain(|member| member.id != channel);
                self.forgetting.retain(|waiting| *waiting != channel);
            }
            ToHome::Ask(asker, need) => self.backlog.push_back(Item::Ask(asker, need)),
            ToHome::Do(errand, ticket) => self.backlog.push_back(Item::Do(errand, ticket)),
            ToHome::Written(blocks) => {
                self.granted.remove(&blocks);
                self.fresh.add(blocks);
            }
            ToHome::NotWritten(blocks) => self.granted.remove(&blocks),
            ToHome::Forgotten(channel, number) => {
                if number == self.forgets {
                    self.forgetting.retain(|waiting| *waiting != channel);
                }
            }
        }
    }

    /// Makes channels forget blocks, and waits until nothing is in flight there. `which` chooses
    /// the channels.
    async fn drain(&mut self, blocks: Range<u64>, which: impl Fn(&Member) -> bool) {
        self.forgets += 1;
        let number = self.forgets;
        let ids: Vec<ChannelId> =
            self.members.iter().filter(|member| which(member)).map(|member| member.id).collect();
        self.forgetting.clone_from(&ids);
        for id in ids {
            self.tell(id, ToChannel::Forget { number, blocks: blocks.clone() }).await;
        }
        while !self.forgetting.is_empty() && !self.is_closed {
            self.wait().await;
        }
        self.hear();
    }

    /// The same for all channels.
    async fn drain_all(&mut self, blocks: Range<u64>) {
        self.drain(blocks, |_| true).await;
    }

    /// Sends a message to a channel, and wakes its core.
    async fn tell(&mut self, channel: ChannelId, message: ToChannel) {
        let mut message = message;
        loop {
            let Some(member) = self.members.iter().find(|member| member.id == channel) else {
                return;
            };
            match member.to.try_send(message) {
                // The mailbox shows it to a core that is about to sleep.
                Ok(()) => return drop(member.core.send(Box::new(|core| core.stay_awake()))),
                Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(back)) => message = back,
            }
            yield_now().await;
            self.hear();
        }
    }

    async fn answer(&mut self, asker: Asker, need: Need) {
        let Asker { channel, work } = asker;
        let message = match need {
            Need::Read(bytes) => {
                let (given, lasting) = self.place_for_read(channel, bytes).await;
                ToChannel::Mapped { work, given, lasting }
            }
            Need::Write(bytes) => {
                let given = self.place_for_write(channel, bytes).await;
                ToChannel::Mapped { work, given, lasting: true }
            }
            Need::Flush => return self.flush_for(asker).await,
            Need::Zero { bytes, unmap } => {
                let op = IoOp::WriteZeroes;
                let done = self.zero_and_tell(bytes.clone(), unmap).await;
                ToChannel::Done { work, result: done_or(op, bytes, done) }
            }
            Need::Discard(bytes) => {
                let held = self.hide_copies(blocks_of(&bytes));
                let done = self.discard(bytes.clone()).await;
                self.facts.stamps.end(&held);
                ToChannel::Done { work, result: done_or(IoOp::Discard, bytes, done) }
            }
            Need::Status(bytes) => {
                let result = match self.status(bytes.clone()).await {
                    Ok(extents) => Ok(Outcome::Extents(Box::new(extents))),
                    Err(error) => done_or(IoOp::BlockStatus, bytes, Err(error)),
                };
                ToChannel::Done { work, result }
            }
        };
        self.tell(channel, message).await;
    }

    /// One flush answers everybody who asked for one before it began.
    async fn flush_for(&mut self, first: Asker) {
        self.hear();
        let mut askers = vec![first];
        self.backlog.retain(|item| match item {
            Item::Ask(asker, Need::Flush) => {
                askers.push(*asker);
                false
            }
            _ => true,
        });
        let done = self.settle().await;
        for Asker { channel, work } in askers {
            let result = done_or(IoOp::Flush, 0..0, done.clone());
            self.tell(channel, ToChannel::Done { work, result }).await;
        }
    }

    async fn run_errand(&mut self, errand: Errand) -> Result<Reply, FsError> {
        match errand {
            Errand::Truncate(size) => self.truncate_and_tell(size).await?,
            Errand::Allocate(bytes) => self.allocate(bytes).await?,
            Errand::Zero { bytes, unmap } => self.zero_and_tell(bytes, unmap).await?,
            Errand::SetPolicy(policy) => self.set_policy(policy).await?,
            Errand::Flush => self.settle().await?,
            Errand::Convert => self.flush_data().await?,
            Errand::SeekData(from) => return self.seek_data(from).await.map(Reply::Place),
            Errand::SeekHole(from) => return self.seek_hole(from).await.map(Reply::Place),
            Errand::CloneTo(to) => self.clone_to(to).await?,
            Errand::ReadBytes { offset, len } => {
                return self.read_bytes(offset, len).await.map(Reply::Bytes);
            }
            Errand::WriteBytes { offset, bytes } => {
                return self.write_and_tell(offset, bytes).await.map(|at| Reply::Place(Some(at)));
            }
        }
        Ok(Reply::Done)
    }
}

/// Runs of fresh blocks; with more, the home flushes by itself.
const FRESH_RUNS_MAX: usize = 4096;

fn done_or(op: IoOp, bytes: Range<u64>, done: Result<(), FsError>) -> IoResult {
    done.map(|()| Outcome::Done).map_err(|error| {
        let (offset, len) = (bytes.start, bytes.end - bytes.start);
        Box::new(IoError::new(kind_of(&error), op, offset, len, format!("file: {error}")))
    })
}

/// The blocks that bytes touch.
fn blocks_of(bytes: &Range<u64>) -> Range<u64> {
    bytes.start / BLOCK..bytes.end.div_ceil(BLOCK)
}

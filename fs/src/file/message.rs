//! What channels and the file's home say to each other.
//!
//! A channel sends through one bounded queue to the home, in order; the home answers through one
//! queue to each channel, in order. So a channel that says `Written` before it completes a write has
//! told the home before anybody can ask for those bytes, and a channel that is told to forget has
//! already seen every answer that was given before.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use byway_engine::block::IoResult;
use byway_engine::core::CoreHandle;
use byway_engine::error::ErrorKind;

use super::errand::{Errand, Ticket};
use super::map::Mapped;
use crate::store::FsError;

/// Messages of all channels that wait for a home.
pub(super) const TO_HOME_MAX: usize = 1024;
/// Messages that wait for a channel, beside one for each of its requests.
pub(super) const TO_CHANNEL_MAX: usize = 64;

/// Names a channel of a file.
pub(super) type ChannelId = u64;

/// A request of a channel that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    /// Which channel.
    pub(super) channel: ChannelId,
    /// Which of its requests.
    pub(super) work: u32,
}

/// What a request needs from the home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// To know where bytes lie.
    Read(Range<u64>),
    /// To be allowed to write these bytes.
    Write(Range<u64>),
    /// That everything written before is durable, and will be found.
    Flush,
    /// That bytes read as zeroes; with `unmap`, their space may be given up.
    Zero { bytes: Range<u64>, unmap: bool },
    /// That whole blocks are given up.
    Discard(Range<u64>),
    /// To know which bytes are data.
    Status(Range<u64>),
}

/// From a channel to the home.
pub(super) enum ToHome {
    /// A channel is there: where its messages go, and the core that it is on.
    Open { channel: ChannelId, to: SyncSender<ToChannel>, core: CoreHandle },
    /// A channel is gone; nothing of it is in flight.
    Close(ChannelId),
    /// A request needs something.
    Ask(Asker, Need),
    /// Blocks that were granted are written.
    Written(Range<u64>),
    /// A write of blocks that were granted failed: they hold anything.
    NotWritten(Range<u64>),
    /// A channel forgot blocks and has nothing in flight on them.
    Forgotten(ChannelId, u64),
    /// An operation on the file that is no request of a channel.
    Do(Errand, Arc<Ticket>),
}

/// From the home to a channel.
pub(super) enum ToChannel {
    /// Where the bytes of a request lie; `lasting`: this may be remembered.
    Mapped { work: u32, given: Result<Vec<Mapped>, FsError>, lasting: bool },
    /// A request is done.
    Done { work: u32, result: IoResult },
    /// Forget blocks, and tell when nothing is in flight on them.
    Forget { number: u64, blocks: Range<u64> },
}

/// What the submitter of a request must do about an error of the file system.
pub(super) fn kind_of(error: &FsError) -> ErrorKind {
    match error {
        FsError::NoSpace => ErrorKind::NoSpace,
        FsError::Range => ErrorKind::Range,
        FsError::ReadOnly => ErrorKind::ReadOnly,
        FsError::Busy => ErrorKind::Transient,
        _ => ErrorKind::Media,
    }
}

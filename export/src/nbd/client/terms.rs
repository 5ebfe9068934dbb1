//! What one connection has agreed upon, and requests in these terms.

use byway_engine::ErrorKind;
use byway_engine::block::{Capabilities, Op};
use byway_proto::nbd::Headers;
use byway_proto::nbd::client::Opened;
use byway_proto::nbd::command::Command;
use byway_proto::nbd::flags::{CommandFlags, TransmissionFlags};

use super::request::Request;

/// The longest read or write that is sent, in bytes: what servers take that do not say.
const TRANSFER_LEN_MAX: u64 = 32 << 20;
/// The longest request without data where lengths have 32 bits.
const NARROW_LEN_MAX: u64 = 1 << 30;
/// The longest request without data where lengths have 64 bits.
const WIDE_LEN_MAX: u64 = 1 << 40;

/// What the connection has agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    flags: TransmissionFlags,
    /// The longest read or write in bytes.
    pub(crate) transfer_len_max: u64,
    /// The longest request without data in bytes.
    plain_len_max: u64,
    tells_status: bool,
}

/// What goes to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This command.
    Command { command: Command, flags: CommandFlags, offset: u64, len: u64 },
    /// Nothing: there is nothing to do.
    Done,
    /// Nothing: the server cannot do it.
    Unsupported,
}

impl Terms {
    pub(crate) fn new(opened: &Opened) -> Terms {
        let told = opened.blocks.map_or(TRANSFER_LEN_MAX, |blocks| u64::from(blocks.max));
        let least = opened.blocks.map_or(1, |blocks| u64::from(blocks.min));
        let cut = |len: u64| (len - len % least).max(least);
        let is_wide = opened.headers == Headers::Extended;
        Terms {
            flags: opened.flags,
            transfer_len_max: cut(told.min(TRANSFER_LEN_MAX)),
            plain_len_max: if is_wide { WIDE_LEN_MAX } else { NARROW_LEN_MAX },
            tells_status: opened.context.is_some(),
        }
    }

    fn has(&self, flag: TransmissionFlags) -> bool {
        self.flags.contains(flag)
    }

    /// Nothing can be written.
    pub(crate) fn is_read_only(&self) -> bool {
        self.has(TransmissionFlags::READ_ONLY)
    }

    /// A flush on one connection covers all.
    pub(crate) fn is_shared(&self) -> bool {
        self.has(TransmissionFlags::CAN_MULTI_CONN)
    }

    /// What is written may be in a cache.
    pub(crate) fn has_cache(&self) -> bool {
        self.has(TransmissionFlags::SEND_FLUSH)
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        Capabilities {
            fua: self.has(TransmissionFlags::SEND_FUA) || !self.has_cache(),
            volatile_cache: self.has_cache(),
            discard: self.has(TransmissionFlags::SEND_TRIM),
            write_zeroes: self.has(TransmissionFlags::SEND_WRITE_ZEROES),
            block_status: self.tells_status,
            ..Capabilities::default()
        }
    }

    /// The write must be followed by a flush to be durable.
    #[inline]
    pub(crate) fn must_flush(&self, request: &Request) -> bool {
        request.io.fua
            && request.io.op.changes_medium()
            && self.has_cache()
            && !self.has(TransmissionFlags::SEND_FUA)
    }

    /// What goes to the server next for a request.
    #[inline]
    pub(crate) fn next(&self, request: &Request) -> Next {
        let io = &request.io;
        let (offset, left) = (io.offset + request.done, io.len - request.done);
        let fua = CommandFlags::FUA.only_if(io.fua && self.has(TransmissionFlags::SEND_FUA));
        let ask = |command, flags, len| Next::Command { command, flags, offset, len };
        match io.op {
            _ if request.is_flushing => self.flush(),
            Op::Read => ask(Command::Read, CommandFlags::NONE, left.min(self.transfer_len_max)),
            Op::Write => ask(Command::Write, fua, left.min(self.transfer_len_max)),
            Op::Flush => self.flush(),
            Op::Discard if self.has(TransmissionFlags::SEND_TRIM) => {
                ask(Command::Trim, CommandFlags::NONE, left.min(self.plain_len_max))
            }
            Op::WriteZeroes if self.has(TransmissionFlags::SEND_WRITE_ZEROES) => {
                let flags = fua.with(CommandFlags::NO_HOLE.only_if(!io.unmap));
                ask(Command::WriteZeroes, flags, left.min(self.plain_len_max))
            }
            Op::BlockStatus if self.tells_status => {
                ask(Command::BlockStatus, CommandFlags::NONE, left.min(self.plain_len_max))
            }
            _ => Next::Unsupported,
        }
    }

    fn flush(&self) -> Next {
        if !self.has_cache() {
            return Next::Done;
        }
        let (command, flags) = (Command::Flush, CommandFlags::NONE);
        Next::Command { command, flags, offset: 0, len: 0 }
    }
}

/// The kind of a failure that the server names (NBD, 'Error values').
pub(crate) fn kind_of(error: byway_proto::nbd::errno::NbdErrno, op: Op) -> ErrorKind {
    let code = i32::try_from(error.code()).unwrap_or(i32::MAX);
    ErrorKind::from_errno(code, op)
}

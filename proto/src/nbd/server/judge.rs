//! What becomes of a request (NBD, 'Request types', 'Command flags', 'Error values').

use super::error::SessionError;
use super::session::Session;
use crate::nbd::Headers;
use crate::nbd::command::Command;
use crate::nbd::errno::NbdErrno;
use crate::nbd::flags::{CommandFlags, TransmissionFlags};
use crate::nbd::limits::PAYLOAD_SKIP_MAX;
use crate::nbd::request::Request;

/// What the shell does about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is legal: do it.
    Execute(Operation),
    /// It fails: skip its payload and answer with the error.
    Refuse {
        /// The error.
        errno: NbdErrno,
        /// What a person at the client reads.
        reason: &'static str,
        /// Bytes of payload that follow the request.
        payload_to_skip: u64,
    },
    /// The client leaves: end what is in flight and close, without a reply.
    Disconnect,
    /// Nothing can be saved: close.
    Close(SessionError),
}

/// A legal request. Ranges lie inside the export and are made of whole blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Send the data of a range.
    Read {
        /// First byte.
        offset: u64,
        /// Bytes; never 0.
        len: u32,
        /// At most one chunk of content.
        is_unfragmented: bool,
    },
    /// Take the payload, and write it.
    Write {
        /// First byte.
        offset: u64,
        /// Bytes, of the range and of the payload; never 0.
        len: u32,
        /// Answer when it is durable.
        is_fua: bool,
    },
    /// Make durable what was answered, on all connections if the export says so.
    Flush,
    /// Forget a range.
    Trim {
        /// First byte.
        offset: u64,
        /// Bytes; never 0.
        len: u64,
        /// Answer when it is durable.
        is_fua: bool,
    },
    /// Expect a range to be read.
    Cache {
        /// First byte.
        offset: u64,
        /// Bytes; never 0.
        len: u64,
    },
    /// Make a range read as zeroes.
    WriteZeroes {
        /// First byte.
        offset: u64,
        /// Bytes; never 0.
        len: u64,
        /// Answer when it is durable.
        is_fua: bool,
        /// Keep the range allocated.
        is_allocating: bool,
        /// Fail with `ENOTSUP` rather than write zeroes slowly.
        is_fast_only: bool,
    },
    /// Tell of the extents of a range.
    BlockStatus {
        /// First byte.
        offset: u64,
        /// Bytes; never 0.
        len: u64,
        /// One extent is enough.
        is_one: bool,
    },
    /// A request of no bytes: answer that it is done.
    Nothing,
}

/// An error, and the words for it.
#[derive(Clone, Copy)]
struct Fault(NbdErrno, &'static str);

impl Session {
    /// What becomes of the request.
    #[must_use]
    #[inline]
    pub fn judge(&self, request: &Request) -> Verdict {
        if request.command == Command::Disconnect {
            return Verdict::Disconnect;
        }
        let payload_len = self.payload_len(request);
        if payload_len > PAYLOAD_SKIP_MAX {
            return Verdict::Close(SessionError::PayloadLength { len: payload_len });
        }
        match self.operation(request) {
            Ok(operation) => Verdict::Execute(operation),
            Err(Fault(errno, reason)) => {
                Verdict::Refuse { errno, reason, payload_to_skip: payload_len }
            }
        }
    }

    /// Bytes that follow the request. A write has a payload even where it does not say so.
    #[must_use]
    #[inline]
    pub fn payload_len(&self, request: &Request) -> u64 {
        let says_so = request.flags.contains(CommandFlags::PAYLOAD_LEN);
        let has_payload = self.headers == Headers::Extended && says_so;
        if request.command == Command::Write || has_payload { request.len } else { 0 }
    }

    #[inline]
    fn operation(&self, request: &Request) -> Result<Operation, Fault> {
        let Request { flags, command, offset, len, .. } = *request;
        let allowed = self.allowed(command)?;
        if !allowed.contains(flags) {
            return Err(Fault(NbdErrno::Einval, "a flag that this command does not have here"));
        }
        if command == Command::Flush {
            return flush(offset, len);
        }
        if command.writes() && self.flags.contains(TransmissionFlags::READ_ONLY) {
            return Err(Fault(NbdErrno::Eperm, "the export is read-only"));
        }
        self.check_range(command, offset, len)?;
        if len == 0 {
            return empty(command);
        }
        self.ranged(request)
    }

    /// A request with a range that is legal.
    #[inline]
    fn ranged(&self, request: &Request) -> Result<Operation, Fault> {
        let Request { flags, command, offset, len, .. } = *request;
        let is_fua = flags.contains(CommandFlags::FUA);
        Ok(match command {
            Command::Read => {
                let is_unfragmented = flags.contains(CommandFlags::DF);
                let len = self.data_len(len, is_unfragmented)?;
                Operation::Read { offset, len, is_unfragmented }
            }
            Command::Write => Operation::Write { offset, len: self.data_len(len, false)?, is_fua },
            Command::Trim => Operation::Trim { offset, len, is_fua },
            Command::Cache => Operation::Cache { offset, len },
            Command::WriteZeroes => {
                let is_fast_only = flags.contains(CommandFlags::FAST_ZERO);
                if is_fast_only && !self.is_zeroing_fast {
                    return Err(Fault(NbdErrno::Enotsup, "zeroes are not faster than data here"));
                }
                let is_allocating = flags.contains(CommandFlags::NO_HOLE);
                Operation::WriteZeroes { offset, len, is_fua, is_allocating, is_fast_only }
            }
            Command::BlockStatus => Operation::BlockStatus {
                offset,
                len,
                is_one: flags.contains(CommandFlags::REQ_ONE),
            },
            Command::Flush | Command::Disconnect | Command::Unknown(_) => {
                unreachable!("it has no range")
            }
        })
    }

    /// The flags that a command can have, if the client may send it at all.
    #[inline]
    fn allowed(&self, command: Command) -> Result<CommandFlags, Fault> {
        let can = |flag| self.flags.contains(flag);
        let (is_known, own) = match command {
            Command::Read => (true, CommandFlags::DF.only_if(can(TransmissionFlags::SEND_DF))),
            Command::Write => {
                (true, CommandFlags::PAYLOAD_LEN.only_if(self.headers == Headers::Extended))
            }
            Command::Flush => (can(TransmissionFlags::SEND_FLUSH), CommandFlags::NONE),
            Command::Trim => (can(TransmissionFlags::SEND_TRIM), CommandFlags::NONE),
            Command::Cache => (can(TransmissionFlags::SEND_CACHE), CommandFlags::NONE),
            Command::WriteZeroes => {
                let fast = CommandFlags::FAST_ZERO;
                let fast = fast.only_if(can(TransmissionFlags::SEND_FAST_ZERO));
                (can(TransmissionFlags::SEND_WRITE_ZEROES), CommandFlags::NO_HOLE.with(fast))
            }
            Command::BlockStatus => (self.has_allocation, CommandFlags::REQ_ONE),
            Command::Disconnect | Command::Unknown(_) => (false, CommandFlags::NONE),
        };
        if !is_known {
            return Err(Fault(NbdErrno::Einval, "a command that was not offered"));
        }
        Ok(own.with(CommandFlags::FUA.only_if(can(TransmissionFlags::SEND_FUA))))
    }

    #[inline]
    fn check_range(&self, command: Command, offset: u64, len: u64) -> Result<(), Fault> {
        if offset.checked_add(len).is_none_or(|end| end > self.size) {
            let fills = matches!(command, Command::Write | Command::WriteZeroes);
            let errno = if fills { NbdErrno::Enospc } else { NbdErrno::Einval };
            return Err(Fault(errno, "beyond the end of the export"));
        }
        if (offset | len) & self.block_mask != 0 {
            return Err(Fault(NbdErrno::Einval, "not aligned to the minimum block size"));
        }
        Ok(())
    }

    /// The length of data that one request may move.
    #[inline]
    fn data_len(&self, len: u64, is_unfragmented: bool) -> Result<u32, Fault> {
        let errno = if is_unfragmented { NbdErrno::Eoverflow } else { NbdErrno::Einval };
        let fault = Fault(errno, "longer than the maximum block size");
        if len > self.payload_max {
            return Err(fault);
        }
        u32::try_from(len).map_err(|_| fault)
    }
}

#[inline]
fn flush(offset: u64, len: u64) -> Result<Operation, Fault> {
    if offset | len == 0 {
        return Ok(Operation::Flush);
    }
    Err(Fault(NbdErrno::Einval, "a flush has no range"))
}

/// A request of no bytes is done, but a reply about extents has at least one.
#[cold]
fn empty(command: Command) -> Result<Operation, Fault> {
    if command == Command::BlockStatus {
        return Err(Fault(NbdErrno::Einval, "the status of no bytes"));
    }
    Ok(Operation::Nothing)
}

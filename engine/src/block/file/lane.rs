//! A channel's way through one ring: its owner number, its registered file.

use std::any::Any;
use std::os::fd::RawFd;
use std::rc::Rc;

use io_uring::{opcode, squeue, types};

use crate::block::Op;
use crate::error::SetupError;
use crate::memory::Segment;
use crate::ring::{Arrival, OwnerHandle, Ring};

/// Per-request flag of `pwritev2`: as if the file were open with O_DSYNC.
const RWF_DSYNC: i32 = 0x2;

/// One ring, as a file channel uses it.
pub(super) struct Lane {
    ring: Rc<Ring>,
    owner: OwnerHandle,
    fd: RawFd,
    fixed: Option<u32>,
}

impl Lane {
    pub(super) fn open(ring: Rc<Ring>, fd: RawFd, name: &str) -> Result<Lane, SetupError> {
        let owner = ring.open_owner().ok_or_else(|| {
            SetupError::new(name, "too many channels on one core", "close some of them")
        })?;
        let fixed = ring.register_file(fd);
        Ok(Lane { ring, owner, fd, fixed })
    }

    /// Moves what has arrived into `to`.
    #[inline]
    pub(super) fn arrivals(&self, to: &mut Vec<Arrival>) {
        self.owner.inbox.take(to);
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.owner.inbox.in_flight()
    }

    pub(super) fn ring(&self) -> &Rc<Ring> {
        &self.ring
    }

    /// Reads into or writes from one segment.
    ///
    /// # Safety
    /// The segment lives in the channel's request table under `slot` until its last completion.
    #[inline]
    pub(super) unsafe fn transfer(
        &self,
        slot: u32,
        op: Op,
        segment: &Segment,
        skip: u32,
        offset: u64,
        dsync: bool,
    ) {
        let index = self.ring.buffer_index(segment.region().id());
        let address = segment.as_ptr().wrapping_add(skip as usize);
        let len = segment.len() - skip;
        let flags = if dsync { RWF_DSYNC } else { 0 };
        macro_rules! on {
            ($fd:expr) => {
                match (op, index) {
                    (Op::Read, Some(index)) => {
                        opcode::ReadFixed::new($fd, address, len, index).offset(offset).build()
                    }
                    (Op::Read, None) => opcode::Read::new($fd, address, len).offset(offset).build(),
                    (_, Some(index)) => opcode::WriteFixed::new($fd, address, len, index)
                        .offset(offset)
                        .rw_flags(flags)
                        .build(),
                    (_, None) => {
                        opcode::Write::new($fd, address, len).offset(offset).rw_flags(flags).build()
                    }
                }
            };
        }
        let entry = match self.fixed {
            Some(fixed) => on!(types::Fixed(fixed)),
            None => on!(types::Fd(self.fd)),
        };
        // SAFETY: the caller keeps the segment in the request table, which outlives the request.
        unsafe { self.ring.push(&self.owner, slot, entry) };
    }

    /// Reads into or writes from several pieces of memory.
    ///
    /// # Safety
    /// The vector and what it points to live in the channel's request table under `slot` until the
    /// last completion.
    pub(super) unsafe fn transfer_vector(
        &self,
        slot: u32,
        op: Op,
        vector: &[libc::iovec],
        offset: u64,
        dsync: bool,
    ) {
        let (address, n) = (vector.as_ptr(), vector.len() as u32);
        let flags = if dsync { RWF_DSYNC } else { 0 };
        let read = op == Op::Read;
        macro_rules! on {
            ($fd:expr) => {
                if read {
                    opcode::Readv::new($fd, address, n).offset(offset).build()
                } else {
                    opcode::Writev::new($fd, address, n).offset(offset).rw_flags(flags).build()
                }
            };
        }
        let entry = match self.fixed {
            Some(fixed) => on!(types::Fixed(fixed)),
            None => on!(types::Fd(self.fd)),
        };
        // SAFETY: the caller keeps vector and memory in the request table.
        unsafe { self.ring.push(&self.owner, slot, entry) };
    }

    /// Makes what was written durable.
    pub(super) fn sync(&self, slot: u32) {
        let flags = types::FsyncFlags::DATASYNC;
        self.push_plain(
            slot,
            |fd| opcode::Fsync::new(fd).flags(flags).build(),
            |fd| opcode::Fsync::new(fd).flags(flags).build(),
        );
    }

    /// fallocate(2) with `mode`.
    pub(super) fn allocate(&self, slot: u32, mode: i32, offset: u64, len: u64) {
        self.push_plain(
            slot,
            |fd| opcode::Fallocate::new(fd, len).offset(offset).mode(mode).build(),
            |fd| opcode::Fallocate::new(fd, len).offset(offset).mode(mode).build(),
        );
    }

    /// Discards a range of a block device (BLOCK_URING_CMD_DISCARD, kernel 6.12).
    pub(super) fn discard_command(&self, slot: u32, offset: u64, len: u64) {
        const BLOCK_URING_CMD_DISCARD: u32 = 0x12 << 8;
        let mut cmd = [0; 16];
        cmd[..8].copy_from_slice(&len.to_ne_bytes());
        let address = Some(offset);
        self.push_plain(
            slot,
            |fd| {
                let command = opcode::UringCmd16::new(fd, BLOCK_URING_CMD_DISCARD);
                command.cmd(cmd).addr(address).build()
            },
            |fd| {
                let command = opcode::UringCmd16::new(fd, BLOCK_URING_CMD_DISCARD);
                command.cmd(cmd).addr(address).build()
            },
        );
    }

    fn push_plain(
        &self,
        slot: u32,
        fixed: impl Fn(types::Fixed) -> squeue::Entry,
        plain: impl Fn(types::Fd) -> squeue::Entry,
    ) {
        let entry = match self.fixed {
            Some(index) => fixed(types::Fixed(index)),
            None => plain(types::Fd(self.fd)),
        };
        // SAFETY: these requests name no memory.
        unsafe { self.ring.push(&self.owner, slot, entry) };
    }

    /// Ends the lane; `kept` lives until its last completion.
    pub(super) fn close(&self, kept: Box<dyn Any>) {
        if let Some(index) = self.fixed {
            self.ring.unregister_file(index);
        }
        self.ring.close_owner(&self.owner, kept);
    }
}

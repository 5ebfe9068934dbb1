//! Block commands other than read, write and flush: each is a task of the reactor.
//!
//! What the initiator sent is copied out of the arena first, so that a command that waits for memory
//! holds none. Invariants: COMPARE AND WRITE and ORWRITE run alone on their range; whatever writes
//! has a ticket while it does.

use std::rc::Rc;

use byway_engine::block::{ExtentKind, Io};
use byway_engine::error::{ErrorKind, IoError};
use byway_engine::exec::Class;
use byway_engine::memory::Lease;
use byway_proto::iscsi::target::{Command, Direction};
use byway_proto::scsi::cdb::ByteCheck;
use byway_proto::scsi::data::{LbaStatus, Provisioning, UnmapRange};
use byway_proto::scsi::unit::{BlockOp, BlockRequest, BlockResult, ScsiReply};
use byway_proto::scsi::{Sense, SenseCode, Status};

use super::connection::{Connection, Inner};
use super::exclusion::Range;
use super::node::Node;
use super::result::block_result;
use super::unit::Unit;

/// Bytes that are moved at once.
const PIECE_LEN: u32 = 256 << 10;
/// Runs of one GET LBA STATUS at most.
const RUNS_MAX: usize = 256;

type Ended = Result<(), BlockResult>;

/// Starts the task of a command.
pub(crate) fn start(
    connection: &Rc<Connection>,
    inner: &mut Inner,
    unit: &Rc<Unit>,
    command: &Command,
    mut request: BlockRequest,
) {
    let needed = request.data_out_len(unit.block_len);
    let slot = inner.slot(command.task);
    let is_write = command.direction == Direction::Write;
    let mut sent = if is_write { slot.buffer.copied(u32::MAX) } else { Vec::new() };
    let Inner { slots, ledger, .. } = inner;
    ledger.free(&mut slots[usize::from(command.task.slot())]);
    if !fit(&mut request, &mut sent, needed, unit.block_len) {
        let reply = refusal(ScsiReply::good());
        return connection.reply(inner, Some(unit), command.task, reply, 0);
    }
    if request.blocks == 0 && needed > 0 {
        let reply = ScsiReply::good();
        return connection.reply(inner, Some(unit), command.task, reply, needed as u32);
    }
    let (connection, unit, command) = (Rc::clone(connection), Rc::clone(unit), *command);
    let core = Rc::clone(&connection.node.core);
    let task = async move {
        let blocks = Blocks { node: Rc::clone(&connection.node), unit };
        let result = blocks.run(&request, sent).await;
        let reply = blocks.unit.machine.borrow().finish(&request, result);
        blocks.unit.start_waiting(&connection.node);
        let mut inner = connection.inner.borrow_mut();
        connection.reply(
            &mut inner,
            Some(&blocks.unit),
            command.task,
            reply,
            taken(&request, &command, needed),
        );
        drop(inner);
        connection.advance();
    };
    core.spawn(Class::Foreground, "iscsi-rare", task);
}

/// In place of success: what was sent is not what the command asks for.
pub(crate) fn refusal(reply: ScsiReply) -> ScsiReply {
    match reply.status {
        Status::Good => ScsiReply::check(Sense::illegal(SenseCode::INVALID_FIELD_IN_CDB)),
        _ => reply,
    }
}

/// Fits the request to what was sent. Where blocks are written or compared one by one, only those
/// that were sent are; COMPARE AND WRITE and WRITE SAME make no sense with anything else than what
/// they ask for, and are refused.
fn fit(request: &mut BlockRequest, sent: &mut Vec<u8>, needed: u64, block_len: u32) -> bool {
    let has_parts = matches!(
        request.op,
        BlockOp::OrWrite | BlockOp::WriteVerify { .. } | BlockOp::Verify(ByteCheck::Blocks)
    );
    if has_parts {
        request.blocks = request.blocks.min(sent.len() as u64 / u64::from(block_len));
        sent.truncate(request.blocks as usize * block_len as usize);
        return true;
    }
    matches!(request.op, BlockOp::Unmap(_)) || needed == 0 || sent.len() as u64 == needed
}

/// Bytes that the command took: an UNMAP its whole list.
fn taken(request: &BlockRequest, command: &Command, needed: u64) -> u32 {
    match request.op {
        BlockOp::Unmap(_) => command.edtl,
        _ => needed as u32,
    }
}

/// The blocks of a unit, with memory to move them through.
struct Blocks {
    node: Rc<Node>,
    unit: Rc<Unit>,
}

impl Blocks {
    async fn run(&self, request: &BlockRequest, sent: Vec<u8>) -> BlockResult {
        let range = Range::new(request.lba, request.blocks);
        let ended = match &request.op {
            BlockOp::Verify(check) => self.verify(request, *check, &sent).await,
            BlockOp::LbaStatus { .. } => return self.runs(request).await,
            BlockOp::Unmap(ranges) => self.unmap(ranges).await,
            BlockOp::OrWrite => self.alone(range, self.or_write(request, sent)).await,
            BlockOp::CompareAndWrite => self.alone(range, self.swap(request, &sent)).await,
            BlockOp::WriteVerify { compare } => {
                let check = if *compare { ByteCheck::Blocks } else { ByteCheck::Medium };
                self.beside(range, async {
                    self.write(self.offset(request), &sent, true).await?;
                    self.verify(request, check, &sent).await
                })
                .await
            }
            BlockOp::WriteSame { zeroes, unmap } => {
                self.beside(range, self.write_same(request, &sent, *zeroes, *unmap)).await
            }
            BlockOp::Read | BlockOp::Write | BlockOp::Flush => unreachable!("not rare"),
        };
        ended.err().unwrap_or(BlockResult::Done)
    }

    /// With every other write of the range kept out.
    async fn alone(&self, range: Range, work: impl Future<Output = Ended>) -> Ended {
        self.with_ticket(range, true, work).await
    }

    /// As a write among others.
    async fn beside(&self, range: Range, work: impl Future<Output = Ended>) -> Ended {
        self.with_ticket(range, false, work).await
    }

    async fn with_ticket(
        &self,
        range: Range,
        is_exclusive: bool,
        work: impl Future<Output = Ended>,
    ) -> Ended {
        let ticket = self.unit.begin(range, is_exclusive).await;
        let ended = work.await;
        self.unit.end_write(ticket);
        ended
    }

    fn offset(&self, request: &BlockRequest) -> u64 {
        request.lba * u64::from(self.unit.block_len)
    }

    fn len(&self, request: &BlockRequest) -> u64 {
        request.blocks * u64::from(self.unit.block_len)
    }

    fn result(&self, error: &IoError) -> BlockResult {
        block_result(error, self.unit.block_len)
    }

    fn piece_len(&self) -> u64 {
        u64::from(PIECE_LEN.min(self.unit.chunk_len).max(self.unit.block_len))
    }

    /// Memory, when there is some.
    async fn lease(&self, len: u64) -> Lease {
        self.node.memory.until(|| self.node.core.lease(len as u32)).await
    }

    async fn read(&self, offset: u64, len: u64) -> Result<Lease, BlockResult> {
        let lease = self.lease(len).await;
        let (result, lease) = self.unit.disk.read(offset, lease).await;
        result.map(|()| lease).map_err(|error| self.result(&error))
    }

    async fn write(&self, mut offset: u64, bytes: &[u8], fua: bool) -> Ended {
        for piece in bytes.chunks(self.piece_len() as usize) {
            let mut lease = self.lease(piece.len() as u64).await;
            lease.copy_from_slice(piece);
            let (result, _) = match fua {
                true => self.unit.disk.write_fua(offset, lease).await,
                false => self.unit.disk.write(offset, lease).await,
            };
            result.map_err(|error| self.result(&error))?;
            offset += piece.len() as u64;
        }
        Ok(())
    }

    /// Reads the range and compares it with what was sent, where something is to be compared.
    async fn verify(&self, request: &BlockRequest, check: ByteCheck, sent: &[u8]) -> Ended {
        let (start, len) = (self.offset(request), self.len(request));
        let mut at = 0;
        while at < len {
            let n = self.piece_len().min(len - at);
            let found = self.read(start + at, n).await?;
            let differs = match check {
                ByteCheck::Medium => None,
                ByteCheck::Blocks => difference(&found, sent[at as usize..].iter()),
                ByteCheck::OneBlock => {
                    let block = &sent[..self.unit.block_len as usize];
                    difference(&found, block.iter().cycle())
                }
            };
            if let Some(offset) = differs {
                return Err(BlockResult::Miscompare { offset: at + offset });
            }
            at += n;
        }
        Ok(())
    }

    async fn or_write(&self, request: &BlockRequest, mut sent: Vec<u8>) -> Ended {
        let start = self.offset(request);
        let piece_len = self.piece_len() as usize;
        let mut at = start;
        for piece in sent.chunks_mut(piece_len) {
            let found = self.read(at, piece.len() as u64).await?;
            piece.iter_mut().zip(found.iter()).for_each(|(byte, old)| *byte |= old);
            at += piece.len() as u64;
        }
        self.write(start, &sent, request.fua).await
    }

    /// COMPARE AND WRITE: what was sent is what is expected, then what is to be written.
    async fn swap(&self, request: &BlockRequest, sent: &[u8]) -> Ended {
        let (offset, len) = (self.offset(request), self.len(request));
        let sent = &sent[..2 * len as usize];
        if self.unit.info.can.compare_and_write && 2 * len <= self.piece_len() {
            let mut lease = self.lease(2 * len).await;
            lease.copy_from_slice(sent);
            let io = Io::compare_and_write(offset, lease);
            let io = if request.fua { io.with_fua() } else { io };
            match self.unit.disk.submit(io).await.result {
                // Longer than the device does in one step.
                Err(error) if matches!(error.kind, ErrorKind::Unsupported | ErrorKind::Range) => {}
                result => return result.map(drop).map_err(|error| self.result(&error)),
            }
        }
        let (expected, new) = sent.split_at(len as usize);
        self.verify(request, ByteCheck::Blocks, expected).await?;
        self.write(offset, new, request.fua).await
    }

    async fn write_same(
        &self,
        request: &BlockRequest,
        sent: &[u8],
        zeroes: bool,
        unmap: bool,
    ) -> Ended {
        let (offset, len) = (self.offset(request), self.len(request));
        let block_len = self.unit.block_len as usize;
        let zero = vec![0; block_len];
        let block = if zeroes { &zero[..] } else { &sent[..block_len] };
        if block.iter().all(|byte| *byte == 0) {
            match self.unit.disk.write_zeroes(offset, len, unmap).await {
                Err(error) if error.kind == ErrorKind::Unsupported => {}
                result => return result.map_err(|error| self.result(&error)),
            }
        }
        let pattern = block.repeat((self.piece_len() / block_len as u64) as usize);
        let mut at = 0;
        while at < len {
            let n = (pattern.len() as u64).min(len - at);
            self.write(offset + at, &pattern[..n as usize], request.fua).await?;
            at += n;
        }
        Ok(())
    }

    /// Unmapped blocks read as zeroes, which a discard alone does not promise.
    async fn unmap(&self, ranges: &[UnmapRange]) -> Ended {
        for range in ranges {
            let block_len = u64::from(self.unit.block_len);
            let (offset, len) = (range.lba * block_len, u64::from(range.blocks) * block_len);
            let zeroes = async {
                let result = self.unit.disk.write_zeroes(offset, len, true).await;
                result.map_err(|error| self.result(&error))
            };
            self.beside(Range::new(range.lba, range.blocks.into()), zeroes).await?;
        }
        Ok(())
    }

    async fn runs(&self, request: &BlockRequest) -> BlockResult {
        let block_len = u64::from(self.unit.block_len);
        let asked = self.unit.disk.block_status(self.offset(request), self.len(request)).await;
        let extents = match asked {
            Ok(extents) => extents,
            Err(error) if error.kind == ErrorKind::Unsupported => Vec::new(),
            Err(error) => return self.result(&error),
        };
        let mut runs: Vec<LbaStatus> = Vec::new();
        for extent in extents {
            let provisioning = match extent.kind {
                ExtentKind::Hole => Provisioning::Deallocated,
                ExtentKind::Data | ExtentKind::Zero => Provisioning::Mapped,
            };
            push_run(&mut runs, extent.offset / block_len, extent.len / block_len, provisioning);
        }
        if runs.is_empty() {
            push_run(&mut runs, request.lba, request.blocks, Provisioning::Mapped);
        }
        BlockResult::Runs(runs)
    }
}

/// Adds a run, or lengthens the last one where it is of the same kind.
fn push_run(runs: &mut Vec<LbaStatus>, lba: u64, blocks: u64, provisioning: Provisioning) {
    let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
    if let Some(last) = runs.last_mut()
        && last.provisioning == provisioning
        && let Some(sum) = last.blocks.checked_add(blocks)
    {
        last.blocks = sum;
    } else if runs.len() < RUNS_MAX && blocks > 0 {
        runs.push(LbaStatus { lba, blocks, provisioning });
    }
}

/// The first byte that differs.
fn difference<'a>(found: &[u8], expected: impl Iterator<Item = &'a u8>) -> Option<u64> {
    found.iter().zip(expected).position(|(a, b)| a != b).map(|at| at as u64)
}

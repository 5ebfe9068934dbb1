//! Commands on their way: from the session to the logical unit, to the device, and back.
//!
//! Reads, writes and flushes are executed here, without a task of their own; everything rarer is
//! started in `rare.rs`. What the logical unit decides is not decided again.

use std::rc::Rc;

use byway_engine::block::{Io, IoResult, Payload};
use byway_engine::error::IoError;
use byway_engine::exec::Class;
use byway_proto::iscsi::target::{Command, Direction, Event, Reply, TaskId};
use byway_proto::scsi::unit::{Action, BlockOp, BlockRequest, ScsiReply};
use byway_proto::scsi::{Sense, SenseCode, Status, opcode};

use super::connection::{Connection, Inner, Life};
use super::exclusion::Range;
use super::faults::{Excuse, Mischief};
use super::ledger::Shortage;
use super::result::block_result;
use super::slot::{Slot, Stage, Work};
use super::unit::Unit;
use super::{absent, rare, text};

/// Bytes of a parameter list that are looked at.
const LIST_LEN_MAX: u32 = 64 << 10;

impl Connection {
    /// Does what the session asks for.
    #[inline]
    pub(crate) fn handle_events(self: &Rc<Self>, inner: &mut Inner) {
        while let Some(event) = inner.session.poll_event() {
            match event {
                Event::Command(command) => self.execute(inner, command),
                other => self.handle_rare(inner, other),
            }
        }
    }

    fn handle_rare(self: &Rc<Self>, inner: &mut Inner, event: Event) {
        match event {
            Event::Command(command) => self.execute(inner, command),
            Event::Abort { task } => self.abort_waiting(inner, task),
            Event::Dropped { task } => inner.drop_task(task),
            Event::Management { id, function, lun } => {
                inner.counts.management += 1;
                let managing = super::manage::run(Rc::clone(self), id, function, lun);
                self.node.core.spawn(Class::Latency, "iscsi-management", managing);
            }
            Event::Text { id, text, .. } => {
                let answer = text::answer(&text, &self.params, &self.node.directory(&self.key));
                inner.session.text_reply(id, answer);
            }
            Event::Logout { reason } => {
                tracing::debug!(initiator = self.key.initiator, ?reason, "logs out");
            }
            Event::Close => self.life.set(self.life.get().max(Life::Closing)),
            Event::PeerSilent => {
                tracing::warn!(initiator = self.key.initiator, "is silent: its session is closed");
                self.die(inner);
            }
        }
    }

    /// A command whose data are all there.
    #[inline]
    fn execute(self: &Rc<Self>, inner: &mut Inner, command: Command) {
        self.executing.set(self.executing.get() + 1);
        let (node, task) = (&self.node, command.task);
        let slot = inner.slot(task);
        slot.stage = Stage::Working;
        if slot.is_refused || self.life.get() == Life::Dead {
            return self.complete(inner, task, Reply::failed(Status::Busy, &[]));
        }
        let Some(unit) = node.unit(command.lun) else {
            let reply = absent::answer(&command.cdb, &node.luns());
            return self.answer(inner, None, &command, reply);
        };
        if let Some(excuse) = inner.mischief.as_mut().and_then(|mischief| mischief.excuse()) {
            return self.answer(inner, Some(unit), &command, excuse_reply(excuse));
        }
        let slot = inner.slot(task);
        slot.unit = unit.index;
        let list = if takes_list(&command) { slot.buffer.copied(LIST_LEN_MAX) } else { Vec::new() };
        let action = unit.machine.borrow_mut().handle(&self.nexus, &command.cdb, &list);
        match action {
            Action::Io(request) => self.start(inner, unit, &command, request),
            Action::Done(reply) => self.answer(inner, Some(unit), &command, reply),
            Action::Drain { victims, save, reply } => {
                let drain = super::manage::Drain { victims, save, reply };
                let draining = drain.run(Rc::clone(self), Rc::clone(unit), command);
                node.core.spawn(Class::Latency, "iscsi-preempt", draining);
            }
        }
    }

    #[inline]
    fn start(
        self: &Rc<Self>,
        inner: &mut Inner,
        unit: &Rc<Unit>,
        command: &Command,
        request: BlockRequest,
    ) {
        match request.op {
            BlockOp::Read => self.start_read(inner, unit, command, &request),
            BlockOp::Write => self.start_write(inner, unit, command, &request),
            BlockOp::Flush => {
                let slot = inner.slot(command.task);
                (slot.work, slot.offset, slot.len, slot.transfer_len) = (Work::Flush, 0, 0, 0);
                slot.ios = 1;
                unit.submit(Io::flush().with_tag(self.tag(command.task, 0)));
            }
            _ => rare::start(self, inner, unit, command, request),
        }
    }

    /// Only as many blocks are read as the initiator takes.
    #[inline]
    fn start_read(
        self: &Rc<Self>,
        inner: &mut Inner,
        unit: &Rc<Unit>,
        command: &Command,
        request: &BlockRequest,
    ) {
        let total = request.data_in_len(unit.block_len) as u32;
        let taken = if command.direction == Direction::Read { command.edtl } else { 0 };
        let len = total.min(taken.next_multiple_of(unit.block_len));
        if len == 0 {
            return self.complete(inner, command.task, nothing_moved(total));
        }
        let slot = inner.slot(command.task);
        (slot.work, slot.len, slot.transfer_len) = (Work::Read, len, total);
        slot.offset = request.lba * u64::from(unit.block_len);
        if self.try_read(inner, unit, command.task).is_err() {
            inner.slot(command.task).stage = Stage::Starved;
            self.node.starved.borrow_mut().push_back((self.index, command.task));
        }
    }

    /// Starts a read where there is memory for it.
    #[inline]
    pub(crate) fn try_read(
        &self,
        inner: &mut Inner,
        unit: &Unit,
        task: TaskId,
    ) -> Result<(), Shortage> {
        let Inner { slots, ledger, .. } = inner;
        let slot = &mut slots[usize::from(task.slot())];
        ledger.take(slot, slot.len, unit.chunk_len)?;
        ledger.start_moving(slot);
        slot.stage = Stage::Working;
        self.submit(unit, slot, task, Io::read);
        Ok(())
    }

    /// Only as many whole blocks are written as the initiator sent.
    #[inline]
    fn start_write(
        self: &Rc<Self>,
        inner: &mut Inner,
        unit: &Rc<Unit>,
        command: &Command,
        request: &BlockRequest,
    ) {
        let total = request.data_out_len(unit.block_len) as u32;
        let slot = inner.slot(command.task);
        let sent = if command.direction == Direction::Write { slot.buffer.len() } else { 0 };
        let len = total.min(sent - sent % unit.block_len);
        if len == 0 {
            return self.complete(inner, command.task, nothing_moved(total));
        }
        slot.buffer.truncate(len);
        (slot.work, slot.len, slot.transfer_len) = (Work::Write { fua: request.fua }, len, total);
        slot.offset = request.lba * u64::from(unit.block_len);
        let range = Range::new(request.lba, u64::from(len / unit.block_len));
        let (ticket, is_active) = unit.begin_write(range, (self.index, command.task));
        slot.ticket = Some(ticket);
        if is_active {
            self.submit_write(inner, unit, command.task);
        } else {
            slot.stage = Stage::Held;
        }
    }

    #[inline]
    fn submit_write(&self, inner: &mut Inner, unit: &Unit, task: TaskId) {
        let Inner { slots, ledger, .. } = inner;
        let slot = &mut slots[usize::from(task.slot())];
        ledger.start_moving(slot);
        slot.stage = Stage::Working;
        let fua = slot.work == Work::Write { fua: true };
        self.submit(unit, slot, task, |offset, payload: Payload| {
            let write = Io::write(offset, payload);
            if fua { write.with_fua() } else { write }
        });
    }

    /// One request for each chunk.
    #[inline]
    fn submit(
        &self,
        unit: &Unit,
        slot: &mut Slot,
        task: TaskId,
        make: impl Fn(u64, Payload) -> Io,
    ) {
        slot.ios = slot.buffer.chunks() as u16;
        for at in 0..slot.buffer.chunks() {
            let (start, _) = slot.buffer.chunk_range(at);
            let payload = slot.buffer.lend(at);
            let io = make(slot.offset + u64::from(start), payload);
            unit.submit(io.with_tag(self.tag(task, at)));
        }
    }

    /// Connection, slot and chunk: the slot stays this task's until all its requests are back.
    #[inline]
    fn tag(&self, task: TaskId, chunk: usize) -> u64 {
        u64::from(self.index) << 32 | u64::from(task.slot()) << 16 | chunk as u64
    }

    /// A request is back from the device.
    #[inline]
    pub(crate) fn io_done(
        self: &Rc<Self>,
        unit: &Unit,
        slot: u16,
        chunk: usize,
        result: IoResult,
        payload: Payload,
    ) {
        let mut inner = self.inner.borrow_mut();
        let state = &mut inner.slots[usize::from(slot)];
        if !matches!(payload, Payload::None) {
            state.buffer.put_back(chunk, payload);
        }
        if let Err(error) = result {
            state.error.get_or_insert(error);
        }
        state.ios -= 1;
        if state.ios == 0 {
            let task = state.task.expect("a request belongs to a task");
            self.work_done(&mut inner, unit, task);
            self.touch();
        }
    }

    #[inline]
    fn work_done(self: &Rc<Self>, inner: &mut Inner, unit: &Unit, task: TaskId) {
        let Inner { slots, ledger, counts, .. } = &mut *inner;
        let slot = &mut slots[usize::from(task.slot())];
        if let Some(ticket) = slot.ticket.take() {
            unit.end_write(ticket);
        }
        let (len, transfer_len) = (slot.len, slot.transfer_len);
        let error = slot.error.take();
        let data_len = match slot.work {
            Work::Read => len,
            Work::Write { .. } => {
                counts.written_bytes += u64::from(len);
                ledger.free(slot);
                0
            }
            Work::Flush | Work::Other => 0,
        };
        counts.read_bytes += u64::from(data_len);
        if let Some(error) = error {
            return self.fail(inner, unit, task, &error);
        }
        let reply = Reply { status: Status::Good, sense: &[], data_len, transfer_len };
        if inner.mischief.is_some() {
            return self.complete_late(inner, task, reply);
        }
        self.complete(inner, task, reply);
    }

    #[cold]
    fn fail(self: &Rc<Self>, inner: &mut Inner, unit: &Unit, task: TaskId, error: &IoError) {
        let slot = &mut inner.slots[usize::from(task.slot())];
        let op = if slot.work == Work::Read { BlockOp::Read } else { BlockOp::Write };
        let block_len = u64::from(unit.block_len);
        let (lba, blocks) = (slot.offset / block_len, u64::from(slot.len) / block_len);
        let request = BlockRequest { op, lba, blocks, fua: false };
        let reply = unit.machine.borrow().finish(&request, block_result(error, unit.block_len));
        tracing::warn!(unit = unit.number, %error, "a request of an initiator failed");
        self.reply(inner, Some(unit), task, reply, 0);
    }

    /// An answer that may be late by plan.
    #[cold]
    fn complete_late(self: &Rc<Self>, inner: &mut Inner, task: TaskId, reply: Reply<'_>) {
        let Some(ns) = inner.mischief.as_mut().and_then(|mischief| Mischief::delay(mischief))
        else {
            return self.complete(inner, task, reply);
        };
        let (data_len, transfer_len) = (reply.data_len, reply.transfer_len);
        let connection = Rc::clone(self);
        let late = async move {
            connection.node.core.sleep(ns).await;
            let reply = Reply { status: Status::Good, sense: &[], data_len, transfer_len };
            connection.complete(&mut connection.inner.borrow_mut(), task, reply);
            connection.advance();
        };
        self.node.core.spawn(Class::Foreground, "iscsi-late", late);
    }

    /// Answers a command by what the logical unit said at once.
    pub(crate) fn answer(
        self: &Rc<Self>,
        inner: &mut Inner,
        unit: Option<&Unit>,
        command: &Command,
        mut reply: ScsiReply,
    ) {
        if command.cdb[0] == opcode::REPORT_LUNS && reply.status == Status::Good {
            reply = absent::answer(&command.cdb, &self.node.luns());
        }
        if command.cdb[0] == opcode::COMPARE_AND_WRITE && command.edtl > 0 {
            // No blocks were asked for, and some were sent: most likely 256, which the field cannot
            // say.
            reply = rare::refusal(reply);
        }
        // A parameter list was taken as it came; other commands that answer at once take nothing.
        let taken = if takes_list(command) { command.edtl } else { 0 };
        self.reply(inner, unit, command.task, reply, taken);
    }

    /// Answers with status, sense and data; `taken` bytes were taken from the initiator.
    pub(crate) fn reply(
        self: &Rc<Self>,
        inner: &mut Inner,
        unit: Option<&Unit>,
        task: TaskId,
        reply: ScsiReply,
        taken: u32,
    ) {
        let sense = reply.sense.map(|sense| match unit {
            Some(unit) => unit.machine.borrow().sense_bytes(&sense),
            None => sense.to_fixed().to_vec(),
        });
        let data_len = reply.data.len() as u32;
        inner.slot(task).buffer.set_bytes(reply.data);
        let sense = sense.as_deref().unwrap_or_default();
        let transfer_len = data_len.max(taken);
        self.complete(inner, task, Reply { status: reply.status, sense, data_len, transfer_len });
    }

    /// A command is aborted that has not reached the device: it ends at once.
    fn abort_waiting(self: &Rc<Self>, inner: &mut Inner, task: TaskId) {
        let slot = inner.slot(task);
        let ends = match (slot.stage, slot.ticket) {
            (Stage::Starved, _) => true,
            (Stage::Held, Some(ticket)) => {
                self.node.unit_at(slot.unit).is_some_and(|unit| unit.give_up(ticket))
            }
            _ => false,
        };
        if ends {
            inner.slot(task).ticket = None;
            self.complete(inner, task, Reply::failed(Status::TaskAborted, &[]));
        }
    }

    /// A write that was held back may run.
    pub(crate) fn start_held(self: &Rc<Self>, task: TaskId) {
        let mut inner = self.inner.borrow_mut();
        let slot = &inner.slots[usize::from(task.slot())];
        debug_assert!(slot.task == Some(task) && slot.stage == Stage::Held, "a held write waits");
        let unit = self.node.unit_at(slot.unit).expect("a held write has a unit");
        self.submit_write(&mut inner, unit, task);
    }

    /// Ends the life of the connection from within.
    pub(crate) fn die(&self, inner: &mut Inner) {
        use byway_proto::iscsi::target::Scope;
        if self.life.replace(Life::Dead) != Life::Dead {
            inner.session.terminate(Scope::Session, false);
        }
    }
}

/// GOOD for a command that would move `total` bytes and moved none.
fn nothing_moved(total: u32) -> Reply<'static> {
    Reply { status: Status::Good, sense: &[], data_len: 0, transfer_len: total }
}

/// True where the data of the command are a parameter list.
#[inline]
fn takes_list(command: &Command) -> bool {
    matches!(
        command.cdb[0],
        opcode::UNMAP
            | opcode::MODE_SELECT_6
            | opcode::MODE_SELECT_10
            | opcode::PERSISTENT_RESERVE_OUT
    )
}

fn excuse_reply(excuse: Excuse) -> ScsiReply {
    match excuse {
        Excuse::Busy => ScsiReply::status(Status::Busy),
        Excuse::TaskSetFull => ScsiReply::status(Status::TaskSetFull),
        Excuse::Attention => ScsiReply::check(Sense::attention(SenseCode::RESET_OCCURRED)),
    }
}

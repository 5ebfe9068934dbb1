//! A lab: the session on one side, a target on the other that says whatever the story wants.

mod garbage;
mod ladder;
mod model;
mod numbers;
mod reads;
mod session_end;
mod writes;

use alloc::vec::Vec;

use super::*;
use crate::iscsi::negotiate::SessionParams;
use crate::iscsi::pdu::*;
use crate::scsi::{Lun, Status};
use crate::serial::Serial;

const LUN: Lun = Lun(3 << 48);
const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;

fn params() -> SessionParams {
    SessionParams {
        initial_r2t: false,
        max_recv_data_segment_len: 65536,
        max_send_data_segment_len: 8192,
        max_burst_len: 65536,
        first_burst_len: 16384,
        max_outstanding_r2t: 2,
        ..SessionParams::default()
    }
}

struct Lab {
    session: Session,
    now: u64,
    stat_sn: Serial,
    exp_cmd_sn: Serial,
    max_cmd_sn: Serial,
}

fn lab() -> Lab {
    lab_with(|_| {})
}

fn lab_with(change: impl FnOnce(&mut SessionParams)) -> Lab {
    let mut params = params();
    change(&mut params);
    lab_at(&params, 100, 32)
}

fn lab_at(params: &SessionParams, cmd_sn: u32, depth: u32) -> Lab {
    let (first, stat_sn) = (Serial(cmd_sn), Serial(700));
    let max_cmd_sn = first.plus(depth).minus(1);
    let start =
        Start { cid: 1, cmd_sn: first, exp_stat_sn: stat_sn, exp_cmd_sn: first, max_cmd_sn };
    let session = Session::new(params, start, Config::new(16), 0);
    Lab { session, now: 0, stat_sn, exp_cmd_sn: first, max_cmd_sn }
}

fn command(direction: Direction, len: u32) -> Command {
    Command {
        lun: LUN,
        cdb: [0x28; 16],
        direction,
        len,
        attribute: TaskAttribute::Simple,
        deadline_ns: 30 * SECOND,
    }
}

/// A PDU of the initiator and the bytes that follow it.
type Seen = (InitiatorPdu, TransmitData);

impl Lab {
    fn read(&mut self, len: u32) -> TaskId {
        self.submit(command(Direction::Read, len))
    }

    fn write(&mut self, len: u32) -> TaskId {
        self.submit(command(Direction::Write, len))
    }

    fn submit(&mut self, command: Command) -> TaskId {
        let deadline_ns = self.now + command.deadline_ns;
        self.session.submit(Command { deadline_ns, ..command }, self.now).unwrap()
    }

    /// The next PDU on the wire.
    fn next(&mut self) -> Option<Seen> {
        let sent = self.session.poll_transmit(self.now)?;
        Some((InitiatorPdu::decode(&sent.bhs).unwrap(), sent.data))
    }

    /// Everything that goes on the wire.
    fn sent(&mut self) -> Vec<Seen> {
        core::iter::from_fn(|| self.next()).collect()
    }

    fn next_command(&mut self) -> ScsiCommand {
        match self.next() {
            Some((InitiatorPdu::ScsiCommand(pdu), _)) => pdu,
            other => panic!("no command: {other:?}"),
        }
    }

    fn next_data(&mut self) -> DataOut {
        match self.next() {
            Some((InitiatorPdu::DataOut(pdu), _)) => pdu,
            other => panic!("no data: {other:?}"),
        }
    }

    fn next_tmf(&mut self) -> TaskManagementRequest {
        match self.next() {
            Some((InitiatorPdu::TaskManagement(pdu), _)) => pdu,
            other => panic!("no function: {other:?}"),
        }
    }

    fn next_nop(&mut self) -> NopOut {
        match self.next() {
            Some((InitiatorPdu::NopOut(pdu), _)) => pdu,
            other => panic!("no ping: {other:?}"),
        }
    }

    /// The target says that, and its data arrive.
    fn hear(&mut self, pdu: TargetPdu, data: &[u8]) -> Result<Receive, ProtocolError> {
        self.hear_as(pdu, data, DataOutcome::Arrived)
    }

    fn hear_as(
        &mut self,
        pdu: TargetPdu,
        data: &[u8],
        outcome: DataOutcome,
    ) -> Result<Receive, ProtocolError> {
        let receive = self.session.handle_header(&pdu.encode(), self.now)?;
        if receive != Receive::Nothing {
            self.session.handle_data(outcome, data, self.now)?;
        }
        Ok(receive)
    }

    fn data_in(&self, task: TaskId, data_sn: u32, offset: u32, len: u32) -> DataIn {
        DataIn {
            is_final: false,
            acknowledge: false,
            status: None,
            residual: Residual::None,
            data_len: len,
            lun: Lun::ZERO,
            itt: task.itt(),
            ttt: Ttt::NONE,
            stat_sn: Serial(0),
            exp_cmd_sn: self.exp_cmd_sn,
            max_cmd_sn: self.max_cmd_sn,
            data_sn,
            offset,
        }
    }

    /// The same, with GOOD.
    fn last_data_in(&mut self, task: TaskId, data_sn: u32, offset: u32, len: u32) -> DataIn {
        let stat_sn = self.stat_sn.take();
        let status = Some(Status::Good);
        DataIn { is_final: true, status, stat_sn, ..self.data_in(task, data_sn, offset, len) }
    }

    fn hear_data_in(&mut self, pdu: DataIn) -> Result<Receive, ProtocolError> {
        self.hear(TargetPdu::DataIn(pdu), &[])
    }

    fn r2t(&self, task: TaskId, r2t_sn: u32, offset: u32, desired_len: u32) -> R2t {
        R2t {
            lun: LUN,
            itt: task.itt(),
            ttt: Ttt(0x7000 + r2t_sn),
            stat_sn: self.stat_sn,
            exp_cmd_sn: self.exp_cmd_sn,
            max_cmd_sn: self.max_cmd_sn,
            r2t_sn,
            offset,
            desired_len,
        }
    }

    fn hear_r2t(&mut self, pdu: R2t) -> Result<Receive, ProtocolError> {
        self.hear(TargetPdu::R2t(pdu), &[])
    }

    fn response(&mut self, task: TaskId, status: Status) -> ScsiResponse {
        ScsiResponse {
            response: ServiceResponse::Completed,
            status,
            residual: Residual::None,
            bidi_residual: Residual::None,
            data_len: 0,
            itt: task.itt(),
            snack_tag: 0,
            stat_sn: self.stat_sn.take(),
            exp_cmd_sn: self.exp_cmd_sn,
            max_cmd_sn: self.max_cmd_sn,
            exp_data_sn: 0,
        }
    }

    fn hear_response(&mut self, pdu: ScsiResponse, data: &[u8]) -> Result<(), ProtocolError> {
        let pdu = ScsiResponse { data_len: data.len() as u32, ..pdu };
        self.hear(TargetPdu::ScsiResponse(pdu), data).map(|_| ())
    }

    fn hear_good(&mut self, task: TaskId) {
        let pdu = self.response(task, Status::Good);
        self.hear_response(pdu, &[]).unwrap();
    }

    fn hear_tmf(&mut self, itt: Itt, response: TaskResponse) {
        let (exp_cmd_sn, max_cmd_sn) = (self.exp_cmd_sn, self.max_cmd_sn);
        let stat_sn = self.stat_sn.take();
        let pdu = TaskManagementResponse { response, itt, stat_sn, exp_cmd_sn, max_cmd_sn };
        self.hear(TargetPdu::TaskManagementResponse(pdu), &[]).unwrap();
    }

    fn nop_in(&self, itt: Itt, ttt: Ttt, data_len: u32) -> NopIn {
        let (exp_cmd_sn, max_cmd_sn) = (self.exp_cmd_sn, self.max_cmd_sn);
        let stat_sn = self.stat_sn;
        NopIn { data_len, lun: LUN, itt, ttt, stat_sn, exp_cmd_sn, max_cmd_sn }
    }

    fn hear_async(&mut self, event: AsyncEvent, data: &[u8]) {
        let pdu = AsyncMessage {
            event,
            data_len: data.len() as u32,
            lun: LUN,
            stat_sn: self.stat_sn.take(),
            exp_cmd_sn: self.exp_cmd_sn,
            max_cmd_sn: self.max_cmd_sn,
        };
        self.hear(TargetPdu::Async(pdu), data).unwrap();
    }

    fn hear_reject(&mut self, reason: RejectReason, rejected: &Bhs) {
        let pdu = Reject {
            reason,
            data_len: BHS_LEN as u32,
            stat_sn: self.stat_sn.take(),
            exp_cmd_sn: self.exp_cmd_sn,
            max_cmd_sn: self.max_cmd_sn,
            data_sn: 0,
        };
        self.hear(TargetPdu::Reject(pdu), rejected).unwrap();
    }

    /// Time goes by; the session does what is due, as often as it asks.
    fn wait(&mut self, ns: u64) {
        let end = self.now + ns;
        while let Some(at) = self.session.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
            if self.session.poll_timeout() == Some(at) {
                break;
            }
        }
        self.now = end;
    }

    fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.session.poll_event()).collect()
    }

    fn event(&mut self) -> Event {
        self.session.poll_event().expect("something happened")
    }

    fn outcome(&mut self, task: TaskId) -> Outcome {
        match self.event() {
            Event::Completed { task: ended, outcome } if ended == task => outcome,
            other => panic!("{task:?} did not end: {other:?}"),
        }
    }
}

fn good(moved: u32) -> Outcome {
    Outcome::Good { residual: Residual::None, moved }
}

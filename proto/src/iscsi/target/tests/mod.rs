//! The machine driven by hand: a rig that speaks for the initiator and for the shell.

mod legal;
mod management;
mod pair;
mod stories;
mod table;

use std::vec::Vec;

use super::*;
use crate::iscsi::negotiate::{SessionParams, TaskReporting};
use crate::iscsi::pdu::*;
use crate::scsi::{Lun, Status};

pub(super) const CONFIG: Config =
    Config { tasks_max: 8, keepalive_ns: Some(1000), silence_ns: 500 };
pub(super) const START: Start =
    Start { exp_cmd_sn: Serial(u32::MAX - 1), stat_sn: Serial(u32::MAX), cid: 7 };
pub(super) const LUN: Lun = Lun(5 << 48);

pub(super) fn params() -> SessionParams {
    SessionParams {
        max_recv_data_segment_len: 1024,
        max_send_data_segment_len: 512,
        max_burst_len: 1024,
        first_burst_len: 1024,
        max_outstanding_r2t: 2,
        initial_r2t: false,
        immediate_data: true,
        ..SessionParams::default()
    }
}

/// A PDU that left, decoded.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Out {
    pub(super) pdu: TargetPdu,
    pub(super) data: TransmitData,
    pub(super) ends: Option<TaskId>,
}

/// A session, and the numbers that its initiator keeps.
#[derive(Clone)]
pub(super) struct Rig {
    pub(super) session: Session,
    pub(super) cmd_sn: Serial,
    pub(super) stat_sn: Serial,
    pub(super) now: u64,
}

impl Rig {
    pub(super) fn new() -> Rig {
        Rig::with(&params())
    }

    pub(super) fn with(params: &SessionParams) -> Rig {
        let session = Session::new(params, START, CONFIG, 0);
        Rig { session, cmd_sn: START.exp_cmd_sn, stat_sn: START.stat_sn, now: 0 }
    }

    pub(super) fn next_cmd_sn(&mut self) -> Serial {
        self.cmd_sn.take()
    }

    /// Header and data, as they come.
    pub(super) fn feed(&mut self, bhs: Bhs, data: &[u8]) -> Result<Receive, ProtocolError> {
        self.feed_as(bhs, data, DataOutcome::Arrived)
    }

    pub(super) fn feed_as(
        &mut self,
        bhs: Bhs,
        data: &[u8],
        outcome: DataOutcome,
    ) -> Result<Receive, ProtocolError> {
        let receive = self.session.handle_header(&bhs, self.now)?;
        let inline = if matches!(receive, Receive::Inline { .. }) { data } else { &[] };
        if receive != Receive::Nothing {
            self.session.handle_data(outcome, inline, self.now)?;
        }
        Ok(receive)
    }

    pub(super) fn send(&mut self, pdu: InitiatorPdu, data: &[u8]) -> Receive {
        self.feed(pdu.encode(), data).unwrap()
    }

    /// Everything that leaves; tasks that end are confirmed at once.
    pub(super) fn out(&mut self) -> Vec<Out> {
        let mut all = Vec::new();
        while let Some(Transmit { bhs, data, ends }) = self.session.poll_transmit() {
            if let Some(task) = ends {
                self.session.sent(task);
            }
            all.push(Out { pdu: TargetPdu::decode(&bhs).unwrap(), data, ends });
        }
        all
    }

    /// The only PDU that leaves.
    pub(super) fn one(&mut self) -> TargetPdu {
        let mut out = self.out();
        assert_eq!(out.len(), 1, "{out:?}");
        out.remove(0).pdu
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// The only event is a command.
    pub(super) fn executes(&mut self) -> Command {
        match self.events().as_slice() {
            [Event::Command(command)] => *command,
            other => panic!("one command is due: {other:?}"),
        }
    }

    pub(super) fn good(&mut self, command: Command) {
        self.session.complete(command.task, Reply::good(command.direction, command.edtl));
    }

    pub(super) fn reason(&mut self) -> RejectReason {
        match self.one() {
            TargetPdu::Reject(pdu) => pdu.reason,
            other => panic!("a Reject is due: {other:?}"),
        }
    }

    pub(super) fn read(&mut self, itt: u32, edtl: u32) -> InitiatorPdu {
        let cmd_sn = self.next_cmd_sn();
        InitiatorPdu::ScsiCommand(ScsiCommand { read: true, cmd_sn, ..self.plain(itt, edtl) })
    }

    /// A write with `data_len` bytes at once and, with `is_final` false, more unasked.
    pub(super) fn write(
        &mut self,
        itt: u32,
        edtl: u32,
        data_len: u32,
        is_final: bool,
    ) -> InitiatorPdu {
        let cmd_sn = self.next_cmd_sn();
        let plain = self.plain(itt, edtl);
        let command = ScsiCommand { write: true, cmd_sn, data_len, is_final, ..plain };
        InitiatorPdu::ScsiCommand(command)
    }

    pub(super) fn plain(&self, itt: u32, edtl: u32) -> ScsiCommand {
        ScsiCommand {
            immediate: false,
            is_final: true,
            read: false,
            write: false,
            attribute: TaskAttribute::Simple,
            ahs_len: 0,
            data_len: 0,
            lun: LUN,
            itt: Itt(itt),
            edtl,
            cmd_sn: self.cmd_sn,
            exp_stat_sn: self.stat_sn,
            cdb: [0; 16],
        }
    }

    pub(super) fn data_out(&self, itt: u32, ttt: Ttt, run: (u32, u32, u32, bool)) -> InitiatorPdu {
        let (data_sn, offset, data_len, is_final) = run;
        let (itt, exp_stat_sn) = (Itt(itt), self.stat_sn);
        let lun = LUN;
        let pdu = DataOut { is_final, data_len, lun, itt, ttt, exp_stat_sn, data_sn, offset };
        InitiatorPdu::DataOut(pdu)
    }

    pub(super) fn nop(&mut self, itt: u32, data_len: u32, immediate: bool) -> InitiatorPdu {
        let cmd_sn = if immediate { self.cmd_sn } else { self.next_cmd_sn() };
        let exp_stat_sn = self.stat_sn;
        let (itt, ttt, lun) = (Itt(itt), Ttt::NONE, Lun::ZERO);
        InitiatorPdu::NopOut(NopOut { immediate, data_len, lun, itt, ttt, cmd_sn, exp_stat_sn })
    }

    pub(super) fn tmf(&mut self, function: TaskFunction, referenced: u32) -> TaskManagementRequest {
        TaskManagementRequest {
            immediate: true,
            function,
            lun: LUN,
            itt: Itt(0xeeee),
            referenced: Itt(referenced),
            cmd_sn: self.cmd_sn,
            exp_stat_sn: self.stat_sn,
            ref_cmd_sn: Serial(0),
            exp_data_sn: 0,
        }
    }
}

pub(super) fn r2ts(out: &[Out]) -> Vec<R2t> {
    let r2t = |out: &Out| if let TargetPdu::R2t(pdu) = out.pdu { Some(pdu) } else { None };
    out.iter().filter_map(r2t).collect()
}

pub(super) fn response(out: &Out) -> ScsiResponse {
    match out.pdu {
        TargetPdu::ScsiResponse(pdu) => pdu,
        ref other => panic!("a SCSI Response is due: {other:?}"),
    }
}

/// Sense code of a CHECK CONDITION.
pub(super) fn sense(out: &Out) -> (u8, u8) {
    assert_eq!(response(out).status, Status::CheckCondition);
    match &out.data {
        TransmitData::Bytes(bytes) => {
            assert_eq!(usize::from(bytes[0]) << 8 | usize::from(bytes[1]), bytes.len() - 2);
            assert_eq!(bytes[2 + 2] & 0xf, 0xb, "aborted command");
            (bytes[2 + 12], bytes[2 + 13])
        }
        other => panic!("sense is due: {other:?}"),
    }
}

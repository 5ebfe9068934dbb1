//! The initiator's session, with tasks under way, against a target that sends anything.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Input;
use crate::iscsi::initiator::{
    Command, Config, DataOutcome, Direction, Event, Failure, Receive, Session, Start, TaskId, Tmf,
    Transmit, TransmitData,
};
use crate::iscsi::negotiate::{SessionParams, TaskReporting};
use crate::iscsi::pdu::{Bhs, InitiatorPdu, Itt, TargetPdu, TaskAttribute, Ttt, data_segment_len};
use crate::scsi::Lun;
use crate::serial::Serial;

const LUN: Lun = Lun(3 << 48);
const MS: u64 = 1_000_000;
const RECEIVE_MAX: u32 = 4096;
const SEND_MAX: u32 = 1024;
/// What a target sends, the frequent ones more than once.
const OPCODES: [u8; 13] =
    [0x25, 0x25, 0x25, 0x21, 0x21, 0x31, 0x31, 0x20, 0x22, 0x24, 0x26, 0x32, 0x3f];
/// Longest data segment that a script sends by itself.
const LEN_MAX: u32 = 8192;

/// The session never panics, keeps inside its buffers, and ends every task once.
pub fn initiator_session(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new(input.byte());
    while let Some(step) = input.step() {
        world.step(step, &mut input);
        world.events();
    }
    world.end();
}

struct World {
    session: Session,
    now: u64,
    open: BTreeMap<TaskId, Command>,
    /// Tags that were sent, the last one first.
    tags: Vec<Itt>,
    stat_sn: Serial,
    exp_cmd_sn: Serial,
}

impl World {
    fn new(flags: u8) -> World {
        let params = SessionParams {
            initial_r2t: flags & 1 != 0,
            immediate_data: flags & 2 != 0,
            max_recv_data_segment_len: RECEIVE_MAX,
            max_send_data_segment_len: SEND_MAX,
            max_burst_len: 8192,
            first_burst_len: 2048,
            max_outstanding_r2t: 2,
            data_pdu_in_order: flags & 4 != 0,
            data_sequence_in_order: flags & 8 != 0,
            task_reporting: match flags & 16 {
                0 => TaskReporting::Rfc3720,
                _ => TaskReporting::FastAbort,
            },
            ..SessionParams::default()
        };
        let first = Serial(u32::MAX - 2);
        let start = Start {
            cid: 1,
            cmd_sn: first,
            exp_stat_sn: Serial(u32::MAX),
            exp_cmd_sn: first,
            max_cmd_sn: first.plus(3),
        };
        World {
            session: Session::new(&params, start, Config::new(8), 0),
            now: 0,
            open: BTreeMap::new(),
            tags: Vec::new(),
            stat_sn: start.exp_stat_sn,
            exp_cmd_sn: first,
        }
    }

    fn step(&mut self, step: u8, input: &mut Input<'_>) {
        match step & 15 {
            0 => self.submit(Direction::Read, input.u16().into()),
            1 => self.submit(Direction::Write, input.u16().into()),
            2 => self.submit(Direction::None, 0),
            3 => self.send(1),
            4 => self.send(usize::MAX),
            5 => self.pass_time(input.byte()),
            6 => self.ask(input),
            7 => {
                let bhs = input.header();
                self.hear(&bhs, input);
            }
            _ => {
                let bhs = self.nearly(step >> 4, input);
                self.hear(&bhs, input);
            }
        }
    }

    fn submit(&mut self, direction: Direction, len: u32) {
        let command = Command {
            lun: LUN,
            cdb: [0x28; 16],
            direction,
            len,
            attribute: TaskAttribute::Simple,
            deadline_ns: self.now + 500 * MS,
        };
        if let Ok(task) = self.session.submit(command, self.now) {
            assert!(self.open.insert(task, command).is_none(), "a name is given once");
            assert_eq!(self.session.command(task), Some(&command));
        }
    }

    fn send(&mut self, pdus: usize) {
        for _ in 0..pdus {
            let Some(Transmit { bhs, data }) = self.session.poll_transmit(self.now) else { return };
            let pdu = InitiatorPdu::decode(&bhs);
            assert!(pdu.is_ok(), "we speak the language: {pdu:?}");
            let len = match data {
                TransmitData::None => 0,
                TransmitData::Task { task, offset, len } => {
                    self.check_range(task, Direction::Write, offset, len);
                    len
                }
                TransmitData::Bytes(bytes) => bytes.len() as u32,
            };
            assert_eq!(len, data_segment_len(&bhs));
            assert!(len <= SEND_MAX, "the target takes no more");
            self.note(&bhs);
        }
    }

    fn note(&mut self, bhs: &Bhs) {
        let itt = Itt(word(bhs, 16));
        self.tags.retain(|tag| *tag != itt);
        self.tags.insert(0, itt);
        self.tags.truncate(16);
        if bhs[0] & 0x40 == 0 && bhs[0] != 0x05 {
            self.exp_cmd_sn = Serial(word(bhs, 24)).next();
        }
    }

    fn check_range(&self, task: TaskId, direction: Direction, offset: u32, len: u32) {
        let command = self.open.get(&task).expect("the buffer of a task that ended is not touched");
        assert_eq!(command.direction, direction);
        assert!(offset.checked_add(len).is_some_and(|end| end <= command.len), "inside the buffer");
    }

    fn pass_time(&mut self, steps: u8) {
        self.now += u64::from(steps) * 20 * MS;
        if self.session.poll_timeout().is_some_and(|at| at <= self.now) {
            self.session.handle_timeout(self.now);
        }
    }

    /// The caller wants something besides commands.
    fn ask(&mut self, input: &mut Input<'_>) {
        let tasks: Vec<TaskId> = self.open.keys().copied().collect();
        let task = input.pick(&tasks);
        let tmf = match (input.byte() & 15, task) {
            (0, Some(task)) => return assert!(self.session.cancel(task), "the task lives"),
            (1, _) => return self.session.ping(),
            (2, _) => return self.session.logout(),
            (3, _) => {
                let _ = self.session.text(input.chunk().to_vec());
                return;
            }
            (4, Some(task)) => Tmf::AbortTask(task),
            (5, _) => Tmf::AbortTaskSet(LUN),
            (6, _) => Tmf::ClearTaskSet(LUN),
            (7, _) => Tmf::TargetWarmReset,
            (8, _) => Tmf::TargetColdReset,
            _ => Tmf::LunReset(LUN),
        };
        let _ = self.session.task_management(tmf);
    }

    /// A header that is nearly legal: its tag and numbers are what the session waits for.
    fn nearly(&mut self, style: u8, input: &mut Input<'_>) -> Bhs {
        let mut bhs = [0; 48];
        bhs[0] = input.pick(&OPCODES).unwrap_or_default();
        bhs[1] = input.byte();
        bhs[2] = input.byte();
        bhs[3] = if style & 1 != 0 { input.byte() } else { 0 };
        let len = u32::from(input.u16()) % LEN_MAX;
        bhs[4..8].copy_from_slice(&len.to_be_bytes());
        bhs[8..16].copy_from_slice(&LUN.to_bytes());
        let itt = input.pick(&self.tags).unwrap_or(Itt::NONE);
        let itt = if style & 8 != 0 { Itt::NONE } else { itt };
        bhs[16..20].copy_from_slice(&itt.0.to_be_bytes());
        let ttt = if style & 2 != 0 { Ttt(input.byte().into()) } else { Ttt::NONE };
        bhs[20..24].copy_from_slice(&ttt.0.to_be_bytes());
        let lag = if style & 4 != 0 { input.byte() } else { 0 };
        bhs[24..28].copy_from_slice(&self.stat_sn.plus(lag.into()).0.to_be_bytes());
        bhs[28..32].copy_from_slice(&self.exp_cmd_sn.0.to_be_bytes());
        bhs[32..36].copy_from_slice(&self.exp_cmd_sn.plus(2).0.to_be_bytes());
        for at in [36, 40, 44] {
            bhs[at..at + 4].copy_from_slice(&u32::from(input.u16()).to_be_bytes());
        }
        bhs
    }

    fn hear(&mut self, bhs: &Bhs, input: &mut Input<'_>) {
        let is_over = self.session.state().is_over();
        let Ok(receive) = self.session.handle_header(bhs, self.now) else {
            assert!(self.session.state().is_over(), "a violation ends the session");
            return;
        };
        assert!(!is_over, "nothing is heard after the end");
        if takes_stat_sn(bhs) {
            self.stat_sn = self.stat_sn.next();
        }
        let len = match receive {
            Receive::Nothing => return,
            Receive::Task { task, offset, len } => {
                self.check_range(task, Direction::Read, offset, len);
                0
            }
            Receive::Inline { len } => len,
        };
        assert!(len <= RECEIVE_MAX && data_segment_len(bhs) <= RECEIVE_MAX);
        let is_lost = input.byte() == 0x55;
        let outcome = if is_lost { DataOutcome::DigestError } else { DataOutcome::Arrived };
        let mut inline = self.inline(bhs, input);
        inline.resize(len as usize, 0);
        let _ = self.session.handle_data(outcome, &inline, self.now);
    }

    /// The data of a Reject are often the header of a task that lives.
    fn inline(&self, bhs: &Bhs, input: &mut Input<'_>) -> Vec<u8> {
        let mut bytes = input.chunk().to_vec();
        if bhs[0] == 0x3f && bytes.len() >= 20 {
            let itt = input.pick(&self.tags).unwrap_or(Itt::NONE);
            bytes[16..20].copy_from_slice(&itt.0.to_be_bytes());
        }
        bytes
    }

    fn events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if let Event::Completed { task, .. } = event {
                assert!(self.open.remove(&task).is_some(), "{task:?} ends once");
                assert_eq!(self.session.command(task), None);
            }
        }
        assert_eq!(usize::from(self.session.in_flight()), self.open.len());
    }

    fn end(mut self) {
        self.session.fail(Failure::ConnectionLost);
        self.events();
        let state = self.session.state();
        assert!(state.is_over() && self.session.poll_transmit(self.now).is_none());
        for left in self.session.into_unfinished() {
            assert_eq!(self.open.remove(&left.task), Some(left.command));
        }
        assert!(self.open.is_empty(), "every task ends");
    }
}

fn word(bhs: &Bhs, at: usize) -> u32 {
    u32::from_be_bytes([bhs[at], bhs[at + 1], bhs[at + 2], bhs[at + 3]])
}

fn takes_stat_sn(bhs: &Bhs) -> bool {
    match TargetPdu::decode(bhs) {
        Ok(TargetPdu::R2t(_)) => false,
        Ok(TargetPdu::DataIn(pdu)) => pdu.status.is_some(),
        Ok(TargetPdu::NopIn(pdu)) => pdu.itt != Itt::NONE,
        _ => true,
    }
}

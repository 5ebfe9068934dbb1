//! The target's session, with tasks under way, against an initiator that sends anything.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Input;
use crate::iscsi::negotiate::{SessionParams, SessionType, TaskReporting};
use crate::iscsi::pdu::{AsyncEvent, Bhs, Itt, TargetPdu, TaskResponse, Ttt, data_segment_len};
use crate::iscsi::target::{
    Command, Config, DataOutcome, Direction, Event, ManagementId, Receive, Reply, Scope, Session,
    Start, TaskId, TextId, Transmit, TransmitData,
};
use crate::scsi::{Lun, Status};
use crate::serial::Serial;

const LUN: Lun = Lun(3 << 48);
const MS: u64 = 1_000_000;
const RECEIVE_MAX: u32 = 4096;
const SEND_MAX: u32 = 1024;
const TASKS_MAX: u16 = 6;
const OPCODES: [u8; 10] = [0x01, 0x01, 0x05, 0x05, 0x00, 0x02, 0x04, 0x06, 0x10, 0x03];
/// Longest data segment that a script sends by itself.
const LEN_MAX: u32 = 8192;

/// The session never panics, keeps inside its buffers, numbers its PDUs in order, hands out every
/// command once and forgets every task once.
pub fn target_session(data: &[u8]) {
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
    /// Commands that the shell executes.
    executing: BTreeMap<TaskId, Command>,
    /// Answered ones, with the bytes of the answer.
    answered: BTreeMap<TaskId, u32>,
    management: Vec<ManagementId>,
    texts: Vec<TextId>,
    /// Tags of commands and of R2Ts, the last one first.
    tags: Vec<(Itt, Ttt)>,
    next_itt: u32,
    cmd_sn: Serial,
    stat_sn: Serial,
    max_cmd_sn: Option<Serial>,
    is_closed: bool,
    /// The initiator broke the protocol: the shell closes the connection and sends nothing more.
    is_broken: bool,
}

impl World {
    fn new(flags: u8) -> World {
        let params = SessionParams {
            initial_r2t: flags & 1 != 0,
            immediate_data: flags & 2 != 0,
            max_recv_data_segment_len: RECEIVE_MAX,
            max_send_data_segment_len: SEND_MAX,
            max_burst_len: 2048,
            first_burst_len: 1500,
            max_outstanding_r2t: 2,
            task_reporting: match flags & 4 {
                0 => TaskReporting::Rfc3720,
                _ => TaskReporting::FastAbort,
            },
            session_type: match flags & 0x78 {
                0x78 => SessionType::Discovery,
                _ => SessionType::Normal,
            },
            ..SessionParams::default()
        };
        let start = Start { exp_cmd_sn: Serial(u32::MAX - 2), stat_sn: Serial(u32::MAX), cid: 7 };
        let keepalive_ns = Some(1000 * MS);
        let config = Config { tasks_max: TASKS_MAX, keepalive_ns, silence_ns: 500 * MS };
        World {
            session: Session::new(&params, start, config, 0),
            now: 0,
            executing: BTreeMap::new(),
            answered: BTreeMap::new(),
            management: Vec::new(),
            texts: Vec::new(),
            tags: Vec::new(),
            next_itt: 0,
            cmd_sn: start.exp_cmd_sn,
            stat_sn: start.stat_sn,
            max_cmd_sn: None,
            is_closed: false,
            is_broken: false,
        }
    }

    fn step(&mut self, step: u8, input: &mut Input<'_>) {
        match step & 15 {
            0 => self.send(1),
            1 => self.send(usize::MAX),
            2 | 3 => self.complete(input),
            4 => self.settle(input),
            5 => self.pass_time(input.byte()),
            6 => self.act(input),
            7 => {
                let bhs = input.header();
                self.hear(&bhs, input);
            }
            8..=11 => {
                let bhs = self.command(step >> 4, input);
                self.hear(&bhs, input);
            }
            _ => {
                let bhs = self.nearly(step >> 4, input);
                self.hear(&bhs, input);
            }
        }
    }

    fn send(&mut self, pdus: usize) {
        for _ in 0..if self.is_broken { 0 } else { pdus } {
            let Some(Transmit { bhs, data, ends }) = self.session.poll_transmit() else { return };
            assert!(!self.is_closed, "nothing is sent after the end");
            self.check_numbers(&bhs);
            let len = match data {
                TransmitData::None => 0,
                TransmitData::Task { task, offset, len } => {
                    let room = self.answered.get(&task).expect("only answered tasks are sent");
                    assert!(offset.checked_add(len).is_some_and(|end| end <= *room));
                    len
                }
                TransmitData::Bytes(bytes) => bytes.len() as u32,
            };
            assert_eq!(len, data_segment_len(&bhs));
            if let Some(task) = ends {
                // Told tasks end with TASK ABORTED, whether or not the shell ever had them.
                self.answered.remove(&task);
                assert!(!self.executing.contains_key(&task), "the shell has it");
                self.session.sent(task);
            }
            self.events();
        }
    }

    fn check_numbers(&mut self, bhs: &Bhs) {
        let pdu = TargetPdu::decode(bhs).expect("we speak the language");
        let takes = match pdu {
            TargetPdu::R2t(r2t) => {
                self.tags.insert(0, (r2t.itt, r2t.ttt));
                self.tags.truncate(16);
                false
            }
            TargetPdu::DataIn(pdu) => pdu.status.is_some(),
            TargetPdu::NopIn(pdu) => pdu.itt != Itt::NONE,
            _ => true,
        };
        let is_data = matches!(pdu, TargetPdu::DataIn(pdu) if pdu.status.is_none());
        let stat_sn = Serial(word(bhs, 24));
        assert!(is_data || stat_sn == self.stat_sn, "status is numbered in order");
        if takes {
            self.stat_sn = self.stat_sn.next();
        }
        let max = Serial(word(bhs, 32));
        assert!(self.max_cmd_sn.is_none_or(|before| before.is_at_most(max)), "a window only grows");
        self.max_cmd_sn = Some(max);
    }

    /// The shell answers a command.
    fn complete(&mut self, input: &mut Input<'_>) {
        let tasks: Vec<TaskId> = self.executing.keys().copied().collect();
        let Some(task) = input.pick(&tasks) else { return };
        let command = self.executing.remove(&task).expect("it was picked");
        let (flags, len) = (input.byte(), u32::from(input.u16()));
        let data_len = if command.direction == Direction::Read { len } else { 0 };
        let status = match flags & 3 {
            0 | 1 => Status::Good,
            2 => Status::CheckCondition,
            _ => Status::Busy,
        };
        let sense = if status == Status::CheckCondition { &[0x70; 18][..] } else { &[] };
        self.answered.insert(task, data_len);
        self.session.complete(task, Reply { status, sense, data_len, transfer_len: len });
    }

    /// The shell answers a function or a text.
    fn settle(&mut self, input: &mut Input<'_>) {
        if let Some(id) = self.management.pop() {
            self.session.management_done(id, TaskResponse::Complete);
        }
        if let Some(id) = self.texts.pop() {
            self.session.text_reply(id, input.chunk().to_vec());
        }
    }

    fn pass_time(&mut self, steps: u8) {
        self.now += u64::from(steps) * 20 * MS;
        if self.session.poll_timeout().is_some_and(|at| at <= self.now) {
            self.session.handle_timeout(self.now);
        }
    }

    /// The shell wants something by itself.
    fn act(&mut self, input: &mut Input<'_>) {
        let choice = input.byte();
        match choice & 7 {
            0 => self.session.set_window_max(u32::from(choice >> 4) & 7),
            1 => self.session.hold_status(choice & 16 != 0),
            2 => self.session.terminate(Scope::Lun(LUN), choice & 16 != 0),
            3 => self.session.terminate(Scope::Session, choice & 16 != 0),
            4 => {
                let tasks: Vec<TaskId> = self.executing.keys().copied().collect();
                let Some(task) = input.pick(&tasks) else { return };
                self.session.terminate(Scope::Task(task), choice & 16 != 0);
            }
            _ => self.session.send_async(AsyncEvent::Scsi, LUN, &[0x70; 18]),
        }
    }

    /// A legal command, mostly the next one in order.
    fn command(&mut self, style: u8, input: &mut Input<'_>) -> Bhs {
        let mut bhs = [0; 48];
        bhs[0] = if style & 8 != 0 { 0x41 } else { 0x01 };
        bhs[1] = if style & 1 != 0 { 0xc1 } else { 0xa1 };
        let edtl = u32::from(input.u16());
        let immediate = input.u16() % 1600;
        if bhs[1] & 0x20 != 0 {
            bhs[1] &= if style & 4 != 0 { 0x7f } else { 0xff };
            bhs[6..8].copy_from_slice(&immediate.to_be_bytes());
        }
        bhs[8..16].copy_from_slice(&LUN.to_bytes());
        self.next_itt += 1;
        bhs[16..20].copy_from_slice(&self.next_itt.to_be_bytes());
        self.tags.insert(0, (Itt(self.next_itt), Ttt::NONE));
        bhs[20..24].copy_from_slice(&edtl.to_be_bytes());
        let early = if style & 2 != 0 { input.byte() & 7 } else { 0 };
        self.number(&mut bhs, early);
        bhs[32] = 0x28;
        bhs
    }

    fn number(&mut self, bhs: &mut Bhs, early: u8) {
        bhs[24..28].copy_from_slice(&self.cmd_sn.plus(early.into()).0.to_be_bytes());
        bhs[28..32].copy_from_slice(&self.stat_sn.0.to_be_bytes());
    }

    /// A header that is nearly legal: its tags and numbers are what the session waits for.
    fn nearly(&mut self, style: u8, input: &mut Input<'_>) -> Bhs {
        let mut bhs = [0; 48];
        bhs[0] = input.pick(&OPCODES).unwrap_or_default() | if style & 1 != 0 { 0x40 } else { 0 };
        bhs[1] = input.byte();
        let len = u32::from(input.u16()) % LEN_MAX;
        bhs[4..8].copy_from_slice(&len.to_be_bytes());
        bhs[8..16].copy_from_slice(&LUN.to_bytes());
        let (itt, ttt) = input.pick(&self.tags).unwrap_or((Itt(1), Ttt::NONE));
        bhs[20..24].copy_from_slice(&ttt.0.to_be_bytes());
        if bhs[0] & 0x3f == 0x02 {
            bhs[20..24].copy_from_slice(&itt.0.to_be_bytes());
        }
        let is_fresh = style & 2 != 0;
        self.next_itt += u32::from(is_fresh);
        let itt = if is_fresh { self.next_itt } else { itt.0 };
        bhs[16..20].copy_from_slice(&itt.to_be_bytes());
        let early = if style & 8 != 0 { input.byte() } else { 0 };
        self.number(&mut bhs, early);
        for at in [32, 36, 40, 44] {
            bhs[at..at + 4].copy_from_slice(&u32::from(input.u16()).to_be_bytes());
        }
        bhs
    }

    fn hear(&mut self, bhs: &Bhs, input: &mut Input<'_>) {
        if self.is_closed || self.is_broken || !self.session.wants_receive() {
            return;
        }
        let Ok(receive) = self.session.handle_header(bhs, self.now) else {
            self.is_broken = true;
            return;
        };
        let len = match receive {
            Receive::Nothing => 0,
            Receive::Task { task, offset, len } => {
                let edtl = self.session.command(task).expect("it lives").edtl;
                assert!(offset.checked_add(len).is_some_and(|end| end <= edtl));
                assert!(!self.answered.contains_key(&task) && !self.executing.contains_key(&task));
                0
            }
            Receive::Discard { .. } => 0,
            Receive::Inline { len } => len,
        };
        assert!(data_segment_len(bhs) <= RECEIVE_MAX);
        if receive != Receive::Nothing {
            let is_lost = input.byte() == 0x55;
            let outcome = if is_lost { DataOutcome::DigestError } else { DataOutcome::Arrived };
            let mut inline = if len > 0 { input.chunk().to_vec() } else { Vec::new() };
            inline.resize(len as usize, 0);
            self.is_broken = self.session.handle_data(outcome, &inline, self.now).is_err();
        }
        if bhs[0] & 0x40 == 0 && bhs[0] != 0x05 && Serial(word(bhs, 24)) == self.cmd_sn {
            self.cmd_sn = self.cmd_sn.next();
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Command(command) => {
                    let before = self.executing.insert(command.task, command);
                    assert!(before.is_none() && !self.answered.contains_key(&command.task));
                }
                Event::Abort { task } => assert!(self.executing.contains_key(&task)),
                Event::Dropped { task } => {
                    assert!(!self.executing.contains_key(&task), "the shell has it");
                    self.answered.remove(&task);
                    assert_eq!(self.session.command(task), None);
                }
                Event::Management { id, .. } => self.management.push(id),
                Event::Text { id, .. } => self.texts.push(id),
                Event::Close => self.is_closed = true,
                Event::Logout { .. } | Event::PeerSilent => {}
            }
        }
        assert!(self.session.live_tasks() <= self.session.slots_max().into());
        // Names are ordered by generation, slots are not.
        let mut executing: Vec<TaskId> = self.session.executing().collect();
        executing.sort_unstable();
        assert!(
            executing.iter().eq(self.executing.keys()),
            "the shell has what it is said to have"
        );
    }

    /// The connection is gone: the shell ends what it has, and nothing is left but what waits for an
    /// initiator.
    fn end(mut self) {
        self.session.terminate(Scope::Session, false);
        self.events();
        while let Some((task, command)) = self.executing.pop_first() {
            self.session.complete(task, Reply::good(command.direction, 0));
            self.events();
        }
        assert_eq!(self.session.executing().count(), 0);
    }
}

fn word(bhs: &Bhs, at: usize) -> u32 {
    u32::from_be_bytes([bhs[at], bhs[at + 1], bhs[at + 2], bhs[at + 3]])
}

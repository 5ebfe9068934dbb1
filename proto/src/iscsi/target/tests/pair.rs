//! Both machines against each other: over any terms and any interleaving, every byte of every
//! transfer arrives where it belongs, and every task completes once.

use std::collections::{BTreeMap, VecDeque};
use std::vec;

use proptest::prelude::*;

use super::legal::any_params;
use super::*;
use crate::iscsi::initiator as ini;

const TASKS: u16 = 12;
/// The choices of a Data-Out and a Data-In whose digest does not fit.
const SPOILED_OUT: u8 = 100;
const SPOILED_IN: u8 = 110;

#[derive(Clone, Debug)]
struct Job {
    direction: ini::Direction,
    len: u32,
    moved: u32,
    is_cancelled: bool,
    is_pinged: bool,
    fails: bool,
}

/// One direction of the connection.
type Wire = VecDeque<(Bhs, Vec<u8>)>;

struct Pair {
    initiator: ini::Session,
    target: Session,
    to_target: Wire,
    to_initiator: Wire,
    jobs: VecDeque<Job>,
    /// By the initiator's slot: its job, what tells its bytes from others, its buffer.
    asked: BTreeMap<u16, (ini::TaskId, Job, u8, Vec<u8>)>,
    /// By the target's slot.
    buffers: BTreeMap<u16, (TaskId, Vec<u8>)>,
    executing: VecDeque<Command>,
    leaving: VecDeque<TaskId>,
    salt: u8,
    spoiled: u32,
    completed: usize,
    is_pinging: bool,
    is_closed: bool,
}

fn byte(salt: u8, offset: usize) -> u8 {
    salt.wrapping_mul(37) ^ offset as u8 ^ (offset >> 8) as u8
}

fn content(salt: u8, len: usize) -> Vec<u8> {
    (0..len).map(|offset| byte(salt, offset)).collect()
}

impl Pair {
    fn new(params: &SessionParams, jobs: Vec<Job>, window: u32) -> Pair {
        let theirs = SessionParams {
            max_recv_data_segment_len: params.max_send_data_segment_len,
            max_send_data_segment_len: params.max_recv_data_segment_len,
            ..params.clone()
        };
        let start = ini::Start {
            cid: START.cid,
            cmd_sn: START.exp_cmd_sn,
            exp_stat_sn: START.stat_sn,
            exp_cmd_sn: START.exp_cmd_sn,
            max_cmd_sn: START.exp_cmd_sn,
        };
        let mut target = Session::new(params, START, CONFIG, 0);
        target.set_window_max(window);
        Pair {
            initiator: ini::Session::new(&theirs, start, ini::Config::new(TASKS), 0),
            target,
            to_target: Wire::new(),
            to_initiator: Wire::new(),
            jobs: jobs.into(),
            asked: BTreeMap::new(),
            buffers: BTreeMap::new(),
            executing: VecDeque::new(),
            leaving: VecDeque::new(),
            salt: 0,
            spoiled: 0,
            completed: 0,
            is_pinging: false,
            is_closed: false,
        }
    }

    fn step(&mut self, choice: u8) -> bool {
        match choice % 7 {
            0 => self.submit(),
            1 => self.initiator_sends(),
            2 => self.target_receives(choice == SPOILED_OUT),
            3 => self.complete(choice),
            4 => self.target_sends(),
            5 => self.initiator_receives(choice == SPOILED_IN),
            _ => self.confirm(),
        }
    }

    fn submit(&mut self) -> bool {
        if self.initiator.in_flight() >= TASKS {
            return false;
        }
        let Some(job) = self.jobs.pop_front() else { return false };
        self.salt = self.salt.wrapping_add(1);
        let mut cdb = [0; 16];
        cdb[1] = self.salt;
        cdb[2..6].copy_from_slice(&job.moved.to_be_bytes());
        cdb[6] = u8::from(job.fails);
        let (direction, len) = (job.direction, job.len);
        let attribute = TaskAttribute::Simple;
        let command =
            ini::Command { lun: LUN, cdb, direction, len, attribute, deadline_ns: u64::MAX };
        let task = self.initiator.submit(command, 0).unwrap();
        let buffer = match direction {
            ini::Direction::Write => content(self.salt, len as usize),
            _ => vec![0xee; len as usize],
        };
        if job.is_pinged {
            self.initiator.ping();
            self.is_pinging = true;
        }
        let is_cancelled = job.is_cancelled;
        let old = self.asked.insert(task.slot(), (task, job, self.salt, buffer));
        assert!(old.is_none(), "the slot was free");
        if is_cancelled && self.salt & 1 == 0 {
            self.initiator.cancel(task);
        }
        self.initiator_events();
        true
    }

    fn initiator_sends(&mut self) -> bool {
        let Some(ini::Transmit { bhs, data }) = self.initiator.poll_transmit(0) else {
            return false;
        };
        let data = match data {
            ini::TransmitData::None => Vec::new(),
            ini::TransmitData::Bytes(bytes) => bytes,
            ini::TransmitData::Task { task, offset, len } => {
                let (_, _, _, buffer) = &self.asked[&task.slot()];
                buffer[offset as usize..][..len as usize].to_vec()
            }
        };
        assert_eq!(data.len() as u32, data_segment_len(&bhs));
        self.to_target.push_back((bhs, data));
        true
    }

    fn target_receives(&mut self, is_spoiled: bool) -> bool {
        let Some((bhs, data)) = self.to_target.pop_front() else { return false };
        let is_spoiled = is_spoiled && opcode(&bhs) == Some(Opcode::DataOut);
        let outcome = if is_spoiled { DataOutcome::DigestError } else { DataOutcome::Arrived };
        self.spoiled += u32::from(is_spoiled);
        let receive = self.target.handle_header(&bhs, 0).unwrap();
        let mut inline: &[u8] = &[];
        match receive {
            Receive::Task { task, offset, len } => {
                assert_eq!(len as usize, data.len());
                let edtl = self.target.command(task).unwrap().edtl as usize;
                let fresh = (task, vec![0; edtl]);
                let (owner, buffer) = self.buffers.entry(task.slot()).or_insert(fresh);
                assert_eq!(*owner, task, "buffers are given back before their slot is used again");
                buffer[offset as usize..][..data.len()].copy_from_slice(&data);
            }
            Receive::Inline { .. } => inline = &data,
            Receive::Discard { .. } | Receive::Nothing => {}
        }
        if receive != Receive::Nothing {
            self.target.handle_data(outcome, inline, 0).unwrap();
        }
        self.target_events();
        true
    }

    fn target_events(&mut self) {
        while let Some(event) = self.target.poll_event() {
            match event {
                Event::Command(command) => self.executing.push_back(command),
                Event::Dropped { task } => {
                    self.buffers.remove(&task.slot());
                }
                Event::Abort { task } => {
                    assert!(self.executing.iter().any(|command| command.task == task));
                }
                Event::Management { id, .. } => {
                    self.target.management_done(id, TaskResponse::Complete);
                }
                Event::Logout { .. } => {}
                Event::Close => self.is_closed = true,
                Event::Text { .. } | Event::PeerSilent => panic!("{event:?}"),
            }
        }
    }

    fn complete(&mut self, choice: u8) -> bool {
        if self.executing.is_empty() {
            return false;
        }
        let at = usize::from(choice) % self.executing.len();
        let command = self.executing.remove(at).unwrap();
        let salt = command.cdb[1];
        let moved = u32::from_be_bytes(command.cdb[2..6].try_into().unwrap());
        match command.direction {
            Direction::Write if command.edtl > 0 => {
                let (_, buffer) = &self.buffers[&command.task.slot()];
                assert_eq!(*buffer, content(salt, command.edtl as usize));
            }
            Direction::Read => {
                let buffer = (command.task, content(salt, moved as usize));
                self.buffers.insert(command.task.slot(), buffer);
            }
            _ => {}
        }
        let mut reply = Reply::good(command.direction, moved);
        if command.cdb[6] != 0 {
            reply = Reply { status: Status::CheckCondition, sense: &[0x70; 18], ..reply };
        }
        self.target.complete(command.task, reply);
        self.target_events();
        true
    }

    fn target_sends(&mut self) -> bool {
        let Some(Transmit { bhs, data, ends }) = self.target.poll_transmit() else { return false };
        let data = match data {
            TransmitData::None => Vec::new(),
            TransmitData::Bytes(bytes) => bytes,
            TransmitData::Task { task, offset, len } => {
                let (owner, buffer) = &self.buffers[&task.slot()];
                assert_eq!(*owner, task);
                buffer[offset as usize..][..len as usize].to_vec()
            }
        };
        assert_eq!(data.len() as u32, data_segment_len(&bhs));
        self.leaving.extend(ends);
        self.to_initiator.push_back((bhs, data));
        self.target_events();
        true
    }

    fn confirm(&mut self) -> bool {
        let Some(task) = self.leaving.pop_front() else { return false };
        self.buffers.remove(&task.slot());
        self.target.sent(task);
        true
    }

    fn initiator_receives(&mut self, is_spoiled: bool) -> bool {
        let Some((bhs, data)) = self.to_initiator.pop_front() else { return false };
        let is_spoiled = is_spoiled && opcode(&bhs) == Some(Opcode::DataIn);
        let outcome =
            if is_spoiled { ini::DataOutcome::DigestError } else { ini::DataOutcome::Arrived };
        self.spoiled += u32::from(is_spoiled);
        let receive = self.initiator.handle_header(&bhs, 0).unwrap();
        let mut inline: &[u8] = &[];
        match receive {
            ini::Receive::Nothing => assert!(data.is_empty()),
            ini::Receive::Inline { .. } => inline = &data,
            ini::Receive::Task { task, offset, len } => {
                assert_eq!(len as usize, data.len());
                let (owner, _, _, buffer) = self.asked.get_mut(&task.slot()).unwrap();
                assert_eq!(*owner, task);
                buffer[offset as usize..][..data.len()].copy_from_slice(&data);
            }
        }
        if receive != ini::Receive::Nothing {
            self.initiator.handle_data(outcome, inline, 0).unwrap();
        }
        self.cancel_some();
        self.initiator_events();
        true
    }

    /// Those that are to be cancelled late, and have not ended.
    fn cancel_some(&mut self) {
        let late = self.asked.values().find(|(_, job, salt, _)| job.is_cancelled && salt & 1 == 1);
        if let Some(task) = late.map(|(task, ..)| *task) {
            self.initiator.cancel(task);
        }
    }

    fn initiator_events(&mut self) {
        while let Some(event) = self.initiator.poll_event() {
            match event {
                ini::Event::Completed { task, outcome } => self.completed(task, outcome),
                ini::Event::Pong { .. } => self.is_pinging = false,
                ini::Event::TmfDone { .. } => {}
                ini::Event::LoggedOut { result, .. } => assert_eq!(result, LogoutResult::Closed),
                other => panic!("{other:?}"),
            }
        }
    }

    fn completed(&mut self, task: ini::TaskId, outcome: ini::Outcome) {
        let (owner, job, salt, buffer) = self.asked.remove(&task.slot()).unwrap();
        assert_eq!(owner, task);
        self.completed += 1;
        let expected = job.moved.min(job.len);
        let (residual, moved) = match outcome {
            ini::Outcome::Good { residual, moved } => {
                assert!(!job.fails);
                (residual, moved)
            }
            ini::Outcome::Retry => return assert!(self.spoiled > 0),
            ini::Outcome::Status { sense: Some(sense), .. } if sense.as_slice()[12] == 0x47 => {
                return assert!(self.spoiled > 0 && job.direction == ini::Direction::Write);
            }
            ini::Outcome::Status { status, residual, moved, sense } => {
                assert!(job.fails && status == Status::CheckCondition);
                assert_eq!(sense.unwrap().as_slice(), [0x70; 18]);
                (residual, moved)
            }
            ini::Outcome::Aborted { .. } => return assert!(job.is_cancelled),
            other => panic!("{other:?}"),
        };
        assert_eq!(residual, super::super::task::residual(job.len, job.moved));
        if job.direction == ini::Direction::Read {
            assert_eq!(moved, expected);
            assert_eq!(buffer[..moved as usize], content(salt, moved as usize));
            assert!(buffer[moved as usize..].iter().all(|byte| *byte == 0xee));
        }
    }

    fn finish(&mut self, jobs: usize) {
        while (0..7).any(|choice| self.step(choice)) {}
        assert_eq!((self.completed, self.is_pinging), (jobs, false));
        assert_eq!((self.target.live_tasks(), self.buffers.len()), (0, 0));
        self.initiator.logout();
        while (0..7).any(|choice| self.step(choice)) {}
        assert!(self.is_closed);
        assert_eq!(self.initiator.state(), ini::State::LoggedOut);
    }
}

fn job() -> impl Strategy<Value = Job> {
    let direction = prop_oneof![
        Just(ini::Direction::None),
        Just(ini::Direction::Read),
        Just(ini::Direction::Write),
        Just(ini::Direction::Write),
    ];
    let len = || prop_oneof![Just(512u32), 0u32..20_000];
    let flags = prop::array::uniform3(prop::bool::weighted(0.1));
    (direction, len(), len(), any::<bool>(), flags).prop_map(
        |(direction, len, moved, is_exact, [is_cancelled, is_pinged, fails])| {
            let len = if direction == ini::Direction::None { 0 } else { len };
            let moved = if is_exact || direction == ini::Direction::None { len } else { moved };
            Job { direction, len, moved, is_cancelled, is_pinged, fails }
        },
    )
}

proptest! {
    #[test]
    fn every_byte_of_every_transfer_arrives(
        params in any_params(),
        jobs in prop::collection::vec(job(), 1..30),
        choices in prop::collection::vec(any::<u8>(), 0..600),
        window in 1u32..=8,
    ) {
        let count = jobs.len();
        let mut pair = Pair::new(&params, jobs, window);
        for choice in choices {
            pair.step(choice);
        }
        pair.finish(count);
    }
}

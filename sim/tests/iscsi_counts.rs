//! What one iSCSI request costs in the steady state, counted and not timed: no allocation in the
//! sessions of either side, driven against each other.
//!
//! One test in its own program, which installs the counting allocator.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]
#![forbid(unsafe_code)]

use byway_engine::count_alloc::{CountingAllocator, allocations};
use byway_proto::iscsi::initiator::{self, Outcome};
use byway_proto::iscsi::negotiate::SessionParams;
use byway_proto::iscsi::pdu::{Bhs, TaskAttribute};
use byway_proto::iscsi::target::{self, Reply, TransmitData};
use byway_proto::scsi::Lun;
use byway_proto::scsi::cdb::{Command, Transfer};
use byway_proto::serial::Serial;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const DEPTH: u16 = 32;
const LEN: u32 = 4096;
const WARM_UP: u64 = 4_000;
const COUNTED: u64 = 16_000;

/// Which requests one run makes.
#[derive(Clone, Copy, Debug)]
enum Work {
    Reads,
    Writes,
    InTurns,
}

struct Pair {
    initiator: initiator::Session,
    target: target::Session,
    submitted: u64,
    completed: u64,
    now: u64,
}

impl Pair {
    fn new() -> Pair {
        let params = SessionParams::default();
        let (cmd_sn, stat_sn) = (Serial(u32::MAX - 1000), Serial(u32::MAX - 2000));
        let start = target::Start { exp_cmd_sn: cmd_sn, stat_sn, cid: 1 };
        let config =
            target::Config { tasks_max: DEPTH, keepalive_ns: Some(1 << 40), silence_ns: 1 << 40 };
        let theirs = initiator::Start {
            cid: 1,
            cmd_sn,
            exp_stat_sn: stat_sn,
            exp_cmd_sn: cmd_sn,
            max_cmd_sn: cmd_sn.plus(u32::from(DEPTH) - 1),
        };
        let initiator = initiator::Session::new(&params, theirs, initiator::Config::new(DEPTH), 0);
        let target = target::Session::new(&params, start, config, 0);
        Pair { initiator, target, submitted: 0, completed: 0, now: 0 }
    }

    fn submit(&mut self, work: Work) {
        let is_write = match work {
            Work::Reads => false,
            Work::Writes => true,
            Work::InTurns => self.submitted.is_multiple_of(2),
        };
        let transfer = Transfer::new(self.submitted * 8, LEN / 512);
        let (command, direction) = match is_write {
            true => (Command::Write(transfer), initiator::Direction::Write),
            false => (Command::Read(transfer), initiator::Direction::Read),
        };
        let command = initiator::Command {
            lun: Lun::ZERO,
            cdb: command.build(),
            direction,
            len: LEN,
            attribute: TaskAttribute::Simple,
            deadline_ns: self.now + (1 << 35),
        };
        self.initiator.submit(command, self.now).unwrap();
        self.submitted += 1;
    }

    /// One turn: everything that can move moves once.
    fn turn(&mut self) {
        self.now += 1_000;
        while let Some(transmit) = self.initiator.poll_transmit(self.now) {
            self.target_receives(&transmit.bhs);
        }
        self.target_executes();
        while let Some(transmit) = self.target.poll_transmit() {
            assert!(!matches!(transmit.data, TransmitData::Bytes(_)), "nothing is said but data");
            self.initiator_receives(&transmit.bhs);
            transmit.ends.into_iter().for_each(|task| self.target.sent(task));
        }
        self.initiator_events();
        if self.initiator.poll_timeout().is_some_and(|at| at <= self.now) {
            self.initiator.handle_timeout(self.now);
        }
    }

    fn target_receives(&mut self, bhs: &Bhs) {
        match self.target.handle_header(bhs, self.now).unwrap() {
            target::Receive::Nothing => {}
            target::Receive::Task { len, .. } => {
                assert_eq!(len, LEN, "writes travel with their command");
                self.target.handle_data(target::DataOutcome::Arrived, &[], self.now).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }

    fn target_executes(&mut self) {
        while let Some(event) = self.target.poll_event() {
            let target::Event::Command(command) = event else { panic!("{event:?}") };
            assert!(Command::parse(&command.cdb).is_ok());
            self.target.complete(command.task, Reply::good(command.direction, command.edtl));
        }
    }

    fn initiator_receives(&mut self, bhs: &Bhs) {
        match self.initiator.handle_header(bhs, self.now).unwrap() {
            initiator::Receive::Nothing => {}
            initiator::Receive::Task { .. } => {
                let arrived = initiator::DataOutcome::Arrived;
                self.initiator.handle_data(arrived, &[], self.now).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }

    fn initiator_events(&mut self) {
        while let Some(event) = self.initiator.poll_event() {
            let initiator::Event::Completed { outcome, .. } = event else { panic!("{event:?}") };
            assert!(matches!(outcome, Outcome::Good { moved: LEN, .. }), "{outcome:?}");
            self.completed += 1;
        }
    }

    fn run(&mut self, work: Work, requests: u64) {
        let end = self.completed + requests;
        while self.completed < end {
            while self.initiator.in_flight() < DEPTH {
                self.submit(work);
            }
            self.turn();
        }
    }
}

#[test]
fn a_request_allocates_nothing_on_either_side() {
    for work in [Work::Reads, Work::Writes, Work::InTurns] {
        let mut pair = Pair::new();
        pair.run(work, WARM_UP);
        let before = allocations();
        assert!(before > 0, "the allocator counts");
        pair.run(work, COUNTED);
        assert_eq!(allocations() - before, 0, "{work:?}");
        assert!(pair.completed >= WARM_UP + COUNTED);
    }
}

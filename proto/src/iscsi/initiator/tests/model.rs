//! The session against a small target that keeps every rule and checks every rule, in any order.
//!
//! Whatever is submitted, cancelled, lost by digest, refused and delayed: each task ends exactly once,
//! and the session never takes a legal target for a liar.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

/// One turn: what to do, with whom, how much.
type Turn = (u8, u8, u16);

#[derive(Debug)]
struct Sequence {
    ttt: Ttt,
    next: u32,
    end: u32,
    data_sn: u32,
}

/// A task as the target sees it.
#[derive(Debug)]
struct Held {
    id: TaskId,
    direction: Direction,
    len: u32,
    cmd_sn: Serial,
    /// Data-In or R2T PDUs so far.
    pdus: u32,
    /// The end of what was sent or asked for.
    end: u32,
    /// Sequences that the initiator owes, in their order.
    owed: VecDeque<Sequence>,
}

struct World {
    lab: Lab,
    held: Vec<Held>,
    functions: VecDeque<TaskManagementRequest>,
    pings: VecDeque<Itt>,
    open: BTreeMap<TaskId, Command>,
}

impl World {
    fn new(cmd_sn: u32) -> World {
        World {
            lab: lab_at(&params(), cmd_sn, 4),
            held: Vec::new(),
            functions: VecDeque::new(),
            pings: VecDeque::new(),
            open: BTreeMap::new(),
        }
    }

    fn turn(&mut self, (what, who, much): Turn) {
        match what % 10 {
            0 | 1 => self.submit(much),
            2..=4 => self.transmit(),
            5 | 6 => self.serve(who, much),
            7 => self.cancel(who, much),
            8 => self.answer(who),
            _ => self.tick(much),
        }
        self.events();
    }

    fn submit(&mut self, much: u16) {
        let direction = [Direction::Read, Direction::Write, Direction::None][usize::from(much % 3)];
        let len = if direction == Direction::None { 0 } else { u32::from(much) };
        let wanted = Command { deadline_ns: self.lab.now + 3 * SECOND, ..command(direction, len) };
        if let Ok(id) = self.lab.session.submit(wanted, self.lab.now) {
            assert!(self.open.insert(id, wanted).is_none(), "{id:?} lives twice");
        }
    }

    fn cancel(&mut self, who: u8, much: u16) {
        let Some((&id, _)) = self.open.iter().nth(usize::from(who) % self.open.len().max(1)) else {
            return;
        };
        if much.is_multiple_of(4) {
            self.lab.session.cancel(id);
        } else if much % 4 == 1 {
            let _ = self.lab.session.task_management(Tmf::AbortTask(id));
        } else if much % 32 == 2 {
            let _ = self.lab.session.task_management(Tmf::LunReset(LUN));
        } else if much % 64 == 3 {
            self.terminate();
        }
    }

    /// Another initiator resets the logical unit.
    fn terminate(&mut self) {
        self.held.clear();
        self.lab.hear_async(AsyncEvent::TasksTerminated, &[]);
    }

    fn tick(&mut self, much: u16) {
        self.lab.now += u64::from(much % 2000) * MS;
        let nop = self.lab.nop_in(Itt::NONE, Ttt::NONE, 0);
        self.lab.hear(TargetPdu::NopIn(nop), &[]).unwrap();
        self.lab.session.handle_timeout(self.lab.now);
    }

    fn transmit(&mut self) {
        let Some((pdu, _)) = self.lab.next() else { return };
        match pdu {
            InitiatorPdu::ScsiCommand(pdu) => self.take_command(pdu),
            InitiatorPdu::DataOut(pdu) => self.take_data(pdu),
            InitiatorPdu::TaskManagement(pdu) => {
                assert_eq!(pdu.cmd_sn, self.lab.exp_cmd_sn);
                self.functions.push_back(pdu);
            }
            InitiatorPdu::NopOut(pdu) => {
                assert_eq!(pdu.cmd_sn, self.lab.exp_cmd_sn);
                if pdu.itt != Itt::NONE {
                    self.pings.push_back(pdu.itt);
                }
            }
            other => panic!("nobody asked for {other:?}"),
        }
    }

    fn take_command(&mut self, pdu: ScsiCommand) {
        assert_eq!(pdu.cmd_sn, self.lab.exp_cmd_sn, "commands come without a hole");
        assert!(pdu.cmd_sn.is_at_most(self.lab.max_cmd_sn), "and within the window");
        assert_eq!(pdu.exp_stat_sn, self.lab.stat_sn);
        self.lab.exp_cmd_sn = pdu.cmd_sn.next();
        let id = TaskId(pdu.itt.0);
        let command = self.open[&id];
        let unsolicited = if pdu.is_final { pdu.data_len } else { command.len.min(16384) };
        let run = Sequence { ttt: Ttt::NONE, next: pdu.data_len, end: unsolicited, data_sn: 0 };
        let owed = if pdu.is_final { VecDeque::new() } else { VecDeque::from([run]) };
        self.held.push(Held {
            id,
            direction: command.direction,
            len: command.len,
            cmd_sn: pdu.cmd_sn,
            pdus: 0,
            end: unsolicited,
            owed,
        });
    }

    fn take_data(&mut self, pdu: DataOut) {
        let held = self.held.iter_mut().find(|held| held.id.itt() == pdu.itt);
        let held = held.expect("data are sent for tasks that the target has");
        let due = held.owed.front_mut().expect("nothing is sent that is not owed");
        assert_eq!((pdu.ttt, pdu.data_sn, pdu.offset), (due.ttt, due.data_sn, due.next));
        assert_eq!(pdu.exp_stat_sn, self.lab.stat_sn);
        due.next += pdu.data_len;
        due.data_sn += 1;
        assert_eq!(pdu.is_final, due.next == due.end);
        if pdu.is_final {
            held.owed.pop_front();
        }
    }

    /// The target does something for one of its tasks.
    fn serve(&mut self, who: u8, much: u16) {
        // The window opens as tasks end.
        self.lab.max_cmd_sn = self.lab.exp_cmd_sn.plus(3);
        if self.held.is_empty() {
            return;
        }
        let at = usize::from(who) % self.held.len();
        let held = &mut self.held[at];
        let (id, is_bad) = (held.id, much.is_multiple_of(11));
        let left = held.len - held.end;
        let some = left.min(u32::from(much) + 1).min(8192);
        match held.direction {
            Direction::Read if left > 0 => {
                let pdu =
                    DataIn { is_final: true, ..self.lab.data_in(id, held.pdus, held.end, some) };
                held.end += some;
                held.pdus += 1;
                let lost = much.is_multiple_of(13);
                let outcome = if lost { DataOutcome::DigestError } else { DataOutcome::Arrived };
                self.lab.hear_as(TargetPdu::DataIn(pdu), &[], outcome).unwrap();
            }
            Direction::Write if left > 0 && held.owed.len() < 2 => {
                let pdu = self.lab.r2t(id, held.pdus, held.end, some);
                let run =
                    Sequence { ttt: pdu.ttt, next: held.end, end: held.end + some, data_sn: 0 };
                held.owed.push_back(run);
                held.end += some;
                held.pdus += 1;
                self.lab.hear_r2t(pdu).unwrap();
            }
            _ if !held.owed.is_empty() => {}
            _ => {
                let exp_data_sn = held.pdus;
                self.held.remove(at);
                let status = if is_bad { Status::Busy } else { Status::Good };
                let pdu = self.lab.response(id, status);
                self.lab.hear_response(ScsiResponse { exp_data_sn, ..pdu }, &[]).unwrap();
            }
        }
    }

    /// The target answers a function or a ping.
    fn answer(&mut self, who: u8) {
        if let Some(itt) = self.pings.pop_front() {
            let nop = self.lab.nop_in(itt, Ttt::NONE, 0);
            self.lab.stat_sn = self.lab.stat_sn.next();
            self.lab.hear(TargetPdu::NopIn(nop), &[]).unwrap();
            return;
        }
        let Some(pdu) = self.functions.pop_front() else { return };
        if pdu.function == TaskFunction::AbortTask && who.is_multiple_of(5) {
            return self.lab.hear_tmf(pdu.itt, TaskResponse::NotSupported);
        }
        let count = self.held.len();
        self.held.retain(|held| {
            let is_meant = match pdu.function {
                TaskFunction::AbortTask => held.id.itt() == pdu.referenced,
                _ => held.cmd_sn.is_before(pdu.cmd_sn),
            };
            !is_meant
        });
        let is_found = self.held.len() < count || pdu.function != TaskFunction::AbortTask;
        let none = TaskResponse::TaskDoesNotExist;
        self.lab.hear_tmf(pdu.itt, if is_found { TaskResponse::Complete } else { none });
    }

    fn events(&mut self) {
        for event in self.lab.events() {
            match event {
                Event::Completed { task, outcome } => {
                    let command = self.open.remove(&task).expect("a task ends once");
                    assert!(
                        self.held.iter().all(|held| held.id != task),
                        "it ends at the target first"
                    );
                    if let Outcome::Good { moved, .. } = outcome {
                        assert_eq!(moved, command.len);
                    }
                }
                Event::Failed(Failure::TaskStuck(_) | Failure::TmfStuck) => {}
                Event::Failed(failure) => panic!("{failure:?}"),
                _ => {}
            }
        }
    }

    /// Everything comes to an end when the target goes on serving.
    fn settle(mut self) {
        for round in 0..2000u16 {
            if self.open.is_empty() || self.lab.session.state() == State::Failed {
                break;
            }
            self.transmit();
            self.serve(round as u8, 7001);
            self.answer(1);
            // The session learns of an open window by whatever comes.
            self.tick(0);
            self.events();
        }
        let state = self.lab.session.state();
        assert!(self.open.is_empty() || state == State::Failed, "{:?} never ended", self.open);
        self.lab.session.fail(Failure::ConnectionLost);
        while self.lab.session.poll_event().is_some() {}
        let mut order = Vec::new();
        for left in self.lab.session.into_unfinished() {
            assert_eq!(self.open.remove(&left.task), Some(left.command));
            order.push(left.sent);
        }
        assert!(self.open.is_empty());
        let first_unsent =
            order.iter().position(|sent| *sent == Sent::Never).unwrap_or(order.len());
        assert!(order[first_unsent..].iter().all(|sent| *sent == Sent::Never), "sent in order");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_task_ends_exactly_once(
        cmd_sn in prop_oneof![Just(u32::MAX - 3), any::<u32>()],
        turns in proptest::collection::vec(any::<Turn>(), 1..300),
    ) {
        let mut world = World::new(cmd_sn);
        for turn in turns {
            if world.lab.session.state() == State::Failed {
                break;
            }
            world.turn(turn);
        }
        world.settle();
    }
}

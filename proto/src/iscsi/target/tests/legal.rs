//! A legal initiator under any interleaving: every command is answered once or aborted, data cover
//! exactly what they should, and no number has a gap. Any bytes at all never panic.

use std::collections::{BTreeMap, VecDeque};
use std::vec;

use proptest::prelude::*;

use super::*;

/// The choice of a Data-Out whose digest does not fit.
const SPOILED: u8 = 241;

/// One command of the plan.
#[derive(Clone, Debug)]
struct Planned {
    direction: Direction,
    edtl: u32,
    moved: u32,
    fails: bool,
    immediate: bool,
    is_pinged: bool,
    is_aborted: bool,
}

/// A command under way, as its initiator sees it.
#[derive(Clone, Debug)]
struct Flight {
    plan: Planned,
    cmd_sn: Serial,
    read: u32,
    data_sn: u32,
    r2t_sn: u32,
    task: Option<TaskId>,
    written: u32,
    is_answered: bool,
    is_spoiled: bool,
    is_gone: bool,
}

/// Data-Out that the initiator owes: tag, position, end, DataSN.
#[derive(Clone, Debug)]
struct Run {
    itt: Itt,
    ttt: Ttt,
    at: u32,
    end: u32,
    data_sn: u32,
}

struct World {
    rig: Rig,
    params: SessionParams,
    max_cmd_sn: Serial,
    plan: VecDeque<Planned>,
    flights: BTreeMap<Itt, Flight>,
    unsolicited: VecDeque<Run>,
    solicited: VecDeque<Run>,
    executing: VecDeque<(Itt, Command)>,
    leaving: VecDeque<TaskId>,
    next_itt: u32,
    pings: u32,
}

impl World {
    fn new(params: SessionParams, plan: Vec<Planned>, window: u32) -> World {
        let mut rig = Rig::with(&params);
        rig.session.set_window_max(window);
        World {
            rig,
            params,
            max_cmd_sn: START.exp_cmd_sn.plus(7),
            plan: plan.into(),
            flights: BTreeMap::new(),
            unsolicited: VecDeque::new(),
            solicited: VecDeque::new(),
            executing: VecDeque::new(),
            leaving: VecDeque::new(),
            next_itt: 0,
            pings: 0,
        }
    }

    fn step(&mut self, choice: u8) -> bool {
        match choice % 6 {
            0 => self.send_command(),
            1 => self.send_data(choice),
            2 => self.complete(choice),
            3 | 4 => self.take_pdu(),
            _ => self.confirm(),
        }
    }

    fn send_command(&mut self) -> bool {
        let Some(next) = self.plan.front() else { return false };
        let is_open = self.rig.cmd_sn.is_at_most(self.max_cmd_sn);
        let immediates = self.flights.values().filter(|flight| flight.plan.immediate);
        let may_go = if next.immediate {
            immediates.filter(|flight| !flight.is_gone && !flight.is_answered).count()
                + self.leaving.len()
                < 4
        } else {
            is_open
        };
        if !may_go {
            return false;
        }
        let planned = self.plan.pop_front().unwrap();
        self.next_itt += 0x0101_0000;
        let itt = Itt(self.next_itt);
        if planned.is_pinged {
            let ping = self.rig.nop(self.next_itt, 0, true);
            self.rig.send(ping, &[]);
            self.pings += 1;
        }
        self.send_scsi(itt, planned.clone());
        if planned.is_aborted {
            self.abort(itt);
        }
        self.events();
        true
    }

    fn send_scsi(&mut self, itt: Itt, plan: Planned) {
        let is_write = plan.direction == Direction::Write;
        let len = if is_write { plan.edtl } else { 0 };
        let first = self.params.first_burst_len.min(len);
        let segment = self.params.max_recv_data_segment_len;
        let now = if self.params.immediate_data { first.min(segment) } else { 0 };
        let more = !self.params.initial_r2t && now < first;
        let mut command = self.rig.plain(itt.0, plan.edtl);
        command.read = plan.direction == Direction::Read;
        command.write = is_write;
        (command.data_len, command.is_final, command.immediate) = (now, !more, plan.immediate);
        let cmd_sn = command.cmd_sn;
        if !plan.immediate {
            self.rig.cmd_sn = cmd_sn.next();
        }
        let flight = Flight {
            plan,
            cmd_sn,
            read: 0,
            data_sn: 0,
            r2t_sn: 0,
            task: None,
            written: 0,
            is_answered: false,
            is_spoiled: false,
            is_gone: false,
        };
        assert!(self.flights.insert(itt, flight).is_none());
        let receive = self.rig.send(InitiatorPdu::ScsiCommand(command), &[]);
        self.wrote(itt, receive, 0, now);
        if more {
            self.unsolicited.push_back(Run {
                itt,
                ttt: Ttt::NONE,
                at: now,
                end: first,
                data_sn: 0,
            });
        }
    }

    fn abort(&mut self, itt: Itt) {
        let mut tmf = self.rig.tmf(TaskFunction::AbortTask, itt.0);
        tmf.itt = Itt(itt.0 | 1);
        tmf.ref_cmd_sn = self.flights[&itt].cmd_sn;
        self.rig.send(InitiatorPdu::TaskManagement(tmf), &[]);
    }

    /// Data went where they belong, or nowhere where the task was aborted.
    fn wrote(&mut self, itt: Itt, receive: Receive, at: u32, bytes: u32) {
        let flight = self.flights.get_mut(&itt).unwrap();
        match receive {
            Receive::Task { task, offset, len } => {
                assert_eq!((offset, len, flight.written), (at, bytes, at));
                assert_eq!(*flight.task.get_or_insert(task), task);
                flight.written += len;
            }
            Receive::Nothing => assert_eq!(bytes, 0),
            _ => assert!(flight.plan.is_aborted || flight.is_spoiled),
        }
    }

    fn send_data(&mut self, choice: u8) -> bool {
        let queue = match (self.unsolicited.is_empty(), self.solicited.is_empty()) {
            (true, true) => return false,
            (false, true) => &mut self.unsolicited,
            (true, false) => &mut self.solicited,
            _ if choice & 0x40 != 0 => &mut self.unsolicited,
            _ => &mut self.solicited,
        };
        let run = queue.front_mut().unwrap();
        let segment = self.params.max_recv_data_segment_len.min(100 + u32::from(choice) * 8);
        let len = segment.min(run.end - run.at);
        let is_final = run.at + len == run.end;
        let (itt, at) = (run.itt, run.at);
        let pdu = self.rig.data_out(itt.0, run.ttt, (run.data_sn, at, len, is_final));
        (run.at, run.data_sn) = (at + len, run.data_sn + 1);
        if is_final {
            queue.pop_front();
        }
        let is_spoiled = choice == SPOILED && len > 0;
        let outcome = if is_spoiled { DataOutcome::DigestError } else { DataOutcome::Arrived };
        let receive = self.rig.session.handle_header(&pdu.encode(), 0).unwrap();
        if choice & 0x20 != 0 {
            self.take_pdu();
        }
        if receive != Receive::Nothing {
            self.rig.session.handle_data(outcome, &[], 0).unwrap();
        }
        self.wrote(itt, receive, at, len);
        self.flights.get_mut(&itt).unwrap().is_spoiled |= is_spoiled;
        self.events();
        true
    }

    fn events(&mut self) {
        for event in self.rig.events() {
            match event {
                Event::Command(command) => {
                    let by_task = |(_, flight): &(&Itt, &Flight)| flight.task == Some(command.task);
                    let known = self.flights.iter().find(by_task).map(|(itt, _)| *itt);
                    let itt = known.unwrap_or_else(|| self.itt_of(command.task));
                    let flight = self.flights.get_mut(&itt).unwrap();
                    flight.task = Some(command.task);
                    assert_eq!(
                        (command.edtl, command.direction),
                        (flight.edtl(), flight.plan.direction)
                    );
                    if command.direction == Direction::Write {
                        assert_eq!(flight.written, command.edtl);
                    }
                    self.executing.push_back((itt, command));
                }
                Event::Abort { .. } | Event::Dropped { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn itt_of(&self, task: TaskId) -> Itt {
        self.rig.session.tasks.at(task).itt
    }

    fn complete(&mut self, choice: u8) -> bool {
        if self.executing.is_empty() {
            return false;
        }
        let at = usize::from(choice) % self.executing.len();
        let (itt, command) = self.executing.remove(at).unwrap();
        let plan = &self.flights[&itt].plan;
        let mut reply = Reply::good(command.direction, plan.moved);
        if plan.fails {
            reply = Reply { status: Status::CheckCondition, sense: &[0x70; 18], ..reply };
        }
        self.rig.session.complete(command.task, reply);
        self.forget(itt, command.task);
        self.events();
        true
    }

    /// A task id names the flight only while the shell may hear of it.
    fn forget(&mut self, itt: Itt, task: TaskId) {
        let flight = self.flights.get_mut(&itt).unwrap();
        assert_eq!(flight.task, Some(task));
    }

    fn confirm(&mut self) -> bool {
        let task = self.leaving.pop_front();
        task.into_iter().for_each(|task| self.rig.session.sent(task));
        task.is_some()
    }

    fn take_pdu(&mut self) -> bool {
        let Some(Transmit { bhs, data, ends }) = self.rig.session.poll_transmit() else {
            return false;
        };
        self.leaving.extend(ends);
        let pdu = TargetPdu::decode(&bhs).unwrap();
        match pdu {
            TargetPdu::DataIn(pdu) => self.data_in(pdu, &data),
            TargetPdu::ScsiResponse(pdu) => {
                self.window(pdu.exp_cmd_sn, pdu.max_cmd_sn);
                self.status(pdu.stat_sn);
                let flight = self.flights.get_mut(&pdu.itt).unwrap();
                assert_eq!(pdu.exp_data_sn, flight.data_sn);
                flight.answered(pdu.residual, pdu.status);
            }
            TargetPdu::Reject(pdu) => {
                assert_eq!(pdu.reason, RejectReason::DataDigestError);
                self.window(pdu.exp_cmd_sn, pdu.max_cmd_sn);
                self.status(pdu.stat_sn);
            }
            TargetPdu::R2t(pdu) => self.r2t(pdu),
            TargetPdu::NopIn(pdu) => {
                self.window(pdu.exp_cmd_sn, pdu.max_cmd_sn);
                if pdu.itt == Itt::NONE {
                    assert_eq!(pdu.stat_sn, self.rig.stat_sn);
                } else {
                    self.pings -= 1;
                    self.status(pdu.stat_sn);
                }
            }
            TargetPdu::TaskManagementResponse(pdu) => {
                self.window(pdu.exp_cmd_sn, pdu.max_cmd_sn);
                self.status(pdu.stat_sn);
                let itt = Itt(pdu.itt.0 & !1);
                self.flights.get_mut(&itt).unwrap().is_gone = true;
                self.solicited.retain(|run| run.itt != itt);
                self.unsolicited.retain(|run| run.itt != itt);
            }
            other => panic!("{other:?}"),
        }
        true
    }

    fn window(&mut self, exp_cmd_sn: Serial, max_cmd_sn: Serial) {
        assert_eq!(exp_cmd_sn, self.rig.cmd_sn);
        assert!(self.max_cmd_sn.is_at_most(max_cmd_sn));
        self.max_cmd_sn = max_cmd_sn;
    }

    fn status(&mut self, stat_sn: Serial) {
        assert_eq!(stat_sn, self.rig.stat_sn.take());
    }

    fn data_in(&mut self, pdu: DataIn, data: &TransmitData) {
        self.window(pdu.exp_cmd_sn, pdu.max_cmd_sn);
        assert!(pdu.data_len > 0 && pdu.data_len <= self.params.max_send_data_segment_len);
        let burst = self.params.max_burst_len;
        let flight = self.flights.get_mut(&pdu.itt).unwrap();
        assert!(!flight.is_gone);
        assert_eq!((pdu.offset, pdu.data_sn), (flight.read, flight.data_sn));
        assert_eq!(pdu.offset / burst, (pdu.offset + pdu.data_len - 1) / burst);
        assert!(matches!(data, TransmitData::Task { offset, len, .. }
            if (*offset, *len) == (pdu.offset, pdu.data_len)));
        (flight.read, flight.data_sn) = (flight.read + pdu.data_len, flight.data_sn + 1);
        let is_end = flight.read == flight.plan.moved.min(flight.plan.edtl);
        assert_eq!(pdu.is_final, flight.read.is_multiple_of(burst) || is_end);
        if let Some(status) = pdu.status {
            flight.answered(pdu.residual, status);
            self.status(pdu.stat_sn);
        }
    }

    fn r2t(&mut self, pdu: R2t) {
        self.window(pdu.exp_cmd_sn, pdu.max_cmd_sn);
        assert_eq!(pdu.stat_sn, self.rig.stat_sn);
        let flight = self.flights.get_mut(&pdu.itt).unwrap();
        assert!(!flight.is_gone && !flight.is_answered);
        assert_eq!(pdu.r2t_sn, flight.r2t_sn);
        flight.r2t_sn += 1;
        assert!(pdu.desired_len > 0 && pdu.desired_len <= self.params.max_burst_len);
        let end = pdu.offset + pdu.desired_len;
        assert!(end <= flight.plan.edtl);
        let (itt, ttt) = (pdu.itt, pdu.ttt);
        self.solicited.push_back(Run { itt, ttt, at: pdu.offset, end, data_sn: 0 });
        let of_task = self.solicited.iter().filter(|run| run.itt == itt).count();
        assert!(of_task <= usize::from(self.params.max_outstanding_r2t));
    }

    /// Until nothing moves any more.
    fn finish(&mut self) {
        while (0..6).any(|choice| self.step(choice)) {}
        assert!(self.plan.is_empty(), "nothing is stuck: {} left", self.plan.len());
        for (itt, flight) in &self.flights {
            assert!(flight.is_answered || flight.is_gone, "{itt:?} has no end: {flight:?}");
            assert!(flight.is_gone == flight.plan.is_aborted);
        }
        assert_eq!((self.pings, self.rig.session.live_tasks()), (0, 0));
    }
}

impl Flight {
    fn edtl(&self) -> u32 {
        if self.plan.direction == Direction::None { 0 } else { self.plan.edtl }
    }

    fn answered(&mut self, residual: Residual, status: Status) {
        assert!(!self.is_answered && !self.is_gone, "one answer, and none after an abort");
        self.is_answered = true;
        assert_eq!(status == Status::Good, !self.plan.fails && !self.is_spoiled);
        let moved = if self.is_spoiled { 0 } else { self.plan.moved };
        let edtl = self.edtl();
        let expected = match moved.cmp(&edtl) {
            core::cmp::Ordering::Equal => Residual::None,
            core::cmp::Ordering::Less => Residual::Underflow(edtl - moved),
            core::cmp::Ordering::Greater => Residual::Overflow(moved - edtl),
        };
        assert_eq!(residual, expected);
        if self.plan.direction == Direction::Read {
            assert_eq!(self.read, edtl.min(moved));
        }
    }
}

fn planned() -> impl Strategy<Value = Planned> {
    let direction =
        prop_oneof![Just(Direction::None), Just(Direction::Read), Just(Direction::Write)];
    let flags = prop::array::uniform4(prop::bool::weighted(0.15));
    let len = prop_oneof![Just(0u32), Just(512), 1u32..9000];
    (direction, len.clone(), len, flags, any::<bool>()).prop_map(
        |(direction, edtl, moved, [fails, immediate, is_pinged, is_aborted], is_exact)| {
            let moved = match direction {
                Direction::None => 0,
                _ if is_exact => edtl,
                _ => moved,
            };
            Planned { direction, edtl, moved, fails, immediate, is_pinged, is_aborted }
        },
    )
}

pub(super) fn any_params() -> impl Strategy<Value = SessionParams> {
    let len = || 512u32..5000;
    (len(), len(), len(), len(), 1u16..12, any::<bool>(), any::<bool>()).prop_map(
        |(recv, send, burst, first, r2ts, initial_r2t, immediate_data)| SessionParams {
            max_recv_data_segment_len: recv,
            max_send_data_segment_len: send,
            max_burst_len: burst,
            first_burst_len: first.min(burst),
            max_outstanding_r2t: r2ts,
            initial_r2t,
            immediate_data,
            ..params()
        },
    )
}

proptest! {
    #[test]
    fn every_command_of_a_legal_initiator_is_answered_once(
        params in any_params(),
        plan in prop::collection::vec(planned(), 1..40),
        choices in prop::collection::vec(any::<u8>(), 0..400),
        window in 1u32..=8,
    ) {
        let mut world = World::new(params, plan, window);
        for choice in choices {
            world.step(choice);
        }
        world.finish();
    }

    #[test]
    fn any_headers_never_panic(
        headers in prop::collection::vec((any::<[u8; 24]>(), any::<[u8; 24]>(), 0u8..40, any::<bool>()), 1..60),
    ) {
        let mut rig = Rig::new();
        for (front, back, opcode, is_near) in headers {
            let mut bhs = [0; 48];
            bhs[..24].copy_from_slice(&front);
            bhs[24..].copy_from_slice(&back);
            bhs[0] = front[0] & 0x40 | opcode;
            bhs[5..7].copy_from_slice(&[0, front[6] & 7]);
            if is_near {
                bhs[16..20].copy_from_slice(&[0, 0, 0, front[19] & 7]);
                bhs[20..24].copy_from_slice(&[0, 0, front[22] & 15, front[23]]);
                bhs[24..28].copy_from_slice(&(rig.session.window.expected().0.wrapping_add(u32::from(back[0] & 3))).to_be_bytes());
                bhs[28..32].copy_from_slice(&rig.session.stat_sn.0.to_be_bytes());
            }
            let len = data_segment_len(&bhs) as usize;
            let outcome = if back[9] & 7 == 0 { DataOutcome::DigestError } else { DataOutcome::Arrived };
            let Ok(receive) = rig.session.handle_header(&bhs, 0) else { continue };
            if back[13] & 7 == 0 {
                rig.out();
                rig.session.terminate(Scope::Session, back[14] & 1 == 0);
            }
            let bytes = vec![front[9]; len];
            let inline = if matches!(receive, Receive::Inline { .. }) { &bytes[..] } else { &[] };
            if receive != Receive::Nothing && rig.session.handle_data(outcome, inline, 0).is_err() {
                break;
            }
            for event in rig.events() {
                match event {
                    Event::Command(command) if back[10] & 3 != 0 => rig.good(command),
                    Event::Management { id, .. } => rig.session.management_done(id, TaskResponse::Complete),
                    Event::Text { id, text, .. } => rig.session.text_reply(id, text),
                    _ => {}
                }
            }
            if back[11] & 1 == 0 {
                rig.out();
            }
            rig.session.handle_timeout(u64::from(back[12]) * 100);
        }
    }
}

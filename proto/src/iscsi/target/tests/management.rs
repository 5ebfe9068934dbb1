//! Task management, as RFC 7143 sections 4.2.3, 11.5 and 11.6 ask.

use std::vec;

use super::*;

fn done(rig: &mut Rig) -> TaskResponse {
    match rig.one() {
        TargetPdu::TaskManagementResponse(pdu) => pdu.response,
        other => panic!("a response is due: {other:?}"),
    }
}

fn manage(rig: &mut Rig, function: TaskFunction, referenced: u32) {
    let tmf = rig.tmf(function, referenced);
    rig.send(InitiatorPdu::TaskManagement(tmf), &[]);
}

#[test]
fn abort_task_waits_for_the_shell_and_sends_no_status() {
    let mut rig = Rig::new();
    let read = rig.read(1, 512);
    rig.send(read, &[]);
    let command = rig.executes();
    manage(&mut rig, TaskFunction::AbortTask, 1);
    assert_eq!((rig.events(), rig.out()), (vec![Event::Abort { task: command.task }], vec![]));
    rig.good(command);
    assert_eq!(rig.events(), [Event::Dropped { task: command.task }]);
    assert_eq!(done(&mut rig), TaskResponse::Complete);
    assert_eq!(rig.session.live_tasks(), 0);
}

#[test]
fn abort_task_ends_a_collecting_task_at_once_and_late_data_are_forgotten() {
    let mut rig = Rig::new();
    let write = rig.write(1, 2048, 0, true);
    rig.send(write, &[]);
    let ttt = r2ts(&rig.out())[0].ttt;
    manage(&mut rig, TaskFunction::AbortTask, 1);
    assert_eq!(done(&mut rig), TaskResponse::Complete);
    assert!(matches!(rig.events()[..], [Event::Dropped { .. }]));
    let late = rig.data_out(1, ttt, (0, 0, 1024, true));
    assert_eq!(rig.send(late, &[]), Receive::Discard { len: 1024 });
    assert_eq!(rig.out(), []);
}

#[test]
fn abort_task_of_an_answered_task_comes_after_its_status() {
    let mut rig = Rig::new();
    let read = rig.read(1, 1024);
    rig.send(read, &[]);
    let command = rig.executes();
    rig.good(command);
    manage(&mut rig, TaskFunction::AbortTask, 1);
    let out = rig.out();
    assert!(out[1].ends.is_some());
    assert!(matches!(out[2].pdu, TargetPdu::TaskManagementResponse(_)));
    assert_eq!(out.len(), 3);
}

#[test]
fn section_11_6_1_a_command_under_way_counts_as_received_and_aborted() {
    let mut rig = Rig::new();
    let (lost, held) = (rig.read(1, 512), rig.read(2, 512));
    rig.send(held, &[]);
    let mut tmf = rig.tmf(TaskFunction::AbortTask, 1);
    tmf.ref_cmd_sn = START.exp_cmd_sn;
    rig.send(InitiatorPdu::TaskManagement(tmf), &[]);
    assert_eq!(done(&mut rig), TaskResponse::Complete);
    assert_eq!(rig.events().len(), 1, "the command behind has its turn");
    rig.send(lost, &[]);
    assert_eq!(rig.events(), []);
    rig.send(InitiatorPdu::TaskManagement(tmf), &[]);
    assert_eq!(done(&mut rig), TaskResponse::TaskDoesNotExist);
}

#[test]
fn a_held_task_that_is_aborted_leaves_its_place_in_the_order() {
    let mut rig = Rig::new();
    let (first, held, last) = (rig.read(1, 512), rig.read(2, 512), rig.read(3, 512));
    rig.send(held, &[]);
    manage(&mut rig, TaskFunction::AbortTask, 2);
    assert_eq!(done(&mut rig), TaskResponse::Complete);
    assert!(matches!(rig.events()[..], [Event::Dropped { .. }]));
    rig.send(first, &[]);
    rig.send(last, &[]);
    assert_eq!(rig.events().len(), 2);
}

#[test]
fn a_function_on_a_set_waits_for_its_tasks_and_for_the_shell() {
    for function in
        [TaskFunction::AbortTaskSet, TaskFunction::ClearTaskSet, TaskFunction::LogicalUnitReset]
    {
        let mut rig = Rig::new();
        let read = rig.read(1, 512);
        rig.send(read, &[]);
        let command = rig.executes();
        let InitiatorPdu::ScsiCommand(other) = rig.read(2, 512) else { panic!("a command") };
        rig.send(InitiatorPdu::ScsiCommand(ScsiCommand { lun: Lun::ZERO, ..other }), &[]);
        let other = rig.executes();
        manage(&mut rig, function, u32::MAX);
        let events = rig.events();
        assert_eq!(events[0], Event::Abort { task: command.task });
        let Event::Management { id, function: told, lun: LUN } = events[1] else { panic!("asked") };
        assert_eq!(told, function);
        rig.session.management_done(id, TaskResponse::Complete);
        assert_eq!(rig.out(), []);
        rig.good(command);
        assert_eq!(done(&mut rig), TaskResponse::Complete);
        rig.good(other);
        assert_eq!(rig.out().len(), 1, "the other unit is not concerned");
    }
}

#[test]
fn section_11_5_1_what_was_lost_before_a_function_on_a_set_does_not_come_after_it() {
    let mut rig = Rig::new();
    let (lost, same) = (rig.read(1, 512), rig.read(2, 512));
    let InitiatorPdu::ScsiCommand(other) = rig.read(3, 512) else { panic!("a command") };
    rig.send(same, &[]);
    rig.send(InitiatorPdu::ScsiCommand(ScsiCommand { lun: Lun::ZERO, ..other }), &[]);
    manage(&mut rig, TaskFunction::LogicalUnitReset, u32::MAX);
    let events = rig.events();
    assert!(matches!(
        events[..],
        [Event::Dropped { .. }, Event::Command(command), Event::Management { .. }]
            if command.lun == Lun::ZERO
    ));
    rig.send(lost, &[]);
    assert_eq!(rig.events(), []);
}

#[test]
fn section_4_2_3_3_a_set_waits_for_data_that_were_asked_for_but_not_for_ever() {
    for is_fast in [false, true] {
        let reporting = if is_fast { TaskReporting::FastAbort } else { TaskReporting::Rfc3720 };
        let mut rig = Rig::with(&SessionParams { task_reporting: reporting, ..params() });
        let write = rig.write(1, 1024, 0, true);
        rig.send(write, &[]);
        let ttt = r2ts(&rig.out())[0].ttt;
        manage(&mut rig, TaskFunction::AbortTaskSet, u32::MAX);
        let events = rig.events();
        let Some(Event::Management { id, .. }) = events.last() else { panic!("asked") };
        rig.session.management_done(*id, TaskResponse::Complete);
        assert_eq!(rig.out().len(), usize::from(is_fast), "FastAbort does not wait");
        if is_fast {
            continue;
        }
        let mut silent = rig.clone();
        let data = rig.data_out(1, ttt, (0, 0, 1024, true));
        assert_eq!(rig.send(data, &[]), Receive::Discard { len: 1024 });
        assert_eq!(done(&mut rig), TaskResponse::Complete);
        silent.session.handle_timeout(DRAIN_NS);
        let is_response = |out: &Out| matches!(out.pdu, TargetPdu::TaskManagementResponse(_));
        assert!(silent.out().iter().any(is_response));
        assert_eq!(silent.session.live_tasks(), 0);
    }
}

#[test]
fn resets_of_the_target_concern_every_unit_and_a_cold_one_closes() {
    for function in [TaskFunction::TargetWarmReset, TaskFunction::TargetColdReset] {
        let mut rig = Rig::new();
        let read = rig.read(1, 512);
        rig.send(read, &[]);
        let command = rig.executes();
        let mut tmf = rig.tmf(function, u32::MAX);
        tmf.lun = Lun::ZERO;
        rig.send(InitiatorPdu::TaskManagement(tmf), &[]);
        let events = rig.events();
        let Some(Event::Management { id, .. }) = events.last() else { panic!("asked") };
        rig.session.management_done(*id, TaskResponse::Complete);
        rig.good(command);
        assert_eq!(done(&mut rig), TaskResponse::Complete);
        let closes = rig.events().contains(&Event::Close);
        assert_eq!(closes, function == TaskFunction::TargetColdReset);
    }
}

#[test]
fn what_is_not_supported_is_said() {
    let mut rig = Rig::new();
    for (function, expected) in [
        (TaskFunction::TaskReassign, TaskResponse::ReassignmentNotSupported),
        (TaskFunction::ClearAca, TaskResponse::NotSupported),
        (TaskFunction::AbortTask, TaskResponse::TaskDoesNotExist),
    ] {
        manage(&mut rig, function, 99);
        assert_eq!(done(&mut rig), expected);
    }
}

#[test]
fn functions_without_answer_are_few() {
    let mut rig = Rig::new();
    for _ in 0..MANAGEMENT_MAX {
        manage(&mut rig, TaskFunction::LogicalUnitReset, u32::MAX);
    }
    assert_eq!(rig.out(), []);
    manage(&mut rig, TaskFunction::LogicalUnitReset, u32::MAX);
    assert_eq!(rig.reason(), RejectReason::ImmediateCommandReject);
}

#[test]
fn tasks_that_another_nexus_ends_say_so_where_the_unit_wants_it() {
    for told in [false, true] {
        let mut rig = Rig::new();
        let (read, write) = (rig.read(1, 512), rig.write(2, 1024, 0, true));
        rig.send(read, &[]);
        let command = rig.executes();
        rig.send(write, &[]);
        let ttt = r2ts(&rig.out())[0].ttt;
        rig.session.terminate(Scope::Lun(LUN), told);
        rig.good(command);
        let data = rig.data_out(2, ttt, (0, 0, 1024, true));
        assert_eq!(rig.send(data, &[]), Receive::Discard { len: 1024 });
        let out = rig.out();
        assert_eq!(out.len(), if told { 2 } else { 0 });
        assert!(out.iter().all(|out| response(out).status == Status::TaskAborted));
        assert_eq!(rig.session.live_tasks(), 0);
    }
}

#[test]
fn a_task_that_ends_while_its_data_arrive_keeps_its_buffer_until_they_have() {
    let mut rig = Rig::new();
    let write = rig.write(1, 512, 512, true).encode();
    rig.session.handle_header(&write, 0).unwrap();
    rig.session.terminate(Scope::Session, false);
    assert_eq!(rig.events(), []);
    rig.session.handle_data(DataOutcome::Arrived, &[], 0).unwrap();
    assert!(matches!(rig.events()[..], [Event::Dropped { .. }]));
    let next = rig.read(2, 512);
    rig.send(next, &[]);
    rig.executes();
}

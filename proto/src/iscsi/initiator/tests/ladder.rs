//! Task management and overdue commands (RFC points 16 in part and 21).

use super::*;
use crate::iscsi::negotiate::TaskReporting;

fn aborted(cause: AbortCause) -> Outcome {
    Outcome::Aborted { cause, sent: Sent::MaybeExecuted }
}

impl Lab {
    /// The target says nothing of interest, second by second.
    fn stay_alive(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.hear(TargetPdu::NopIn(self.nop_in(Itt::NONE, Ttt::NONE, 0)), &[]).unwrap();
            self.wait(SECOND);
        }
    }
}

fn done(id: TmfId, response: TaskResponse) -> Event {
    Event::TmfDone { id, outcome: TmfOutcome::Answered(response) }
}

#[test]
fn rfc_point_21_abort_task_names_the_task_and_its_number() {
    let mut lab = lab();
    lab.read(0);
    let a = lab.write(65536);
    lab.sent();
    let id = lab.session.task_management(Tmf::AbortTask(a)).unwrap();
    let tmf = lab.next_tmf();
    assert!(tmf.immediate);
    assert_eq!((tmf.function, tmf.lun), (TaskFunction::AbortTask, LUN));
    assert_eq!((tmf.referenced, tmf.ref_cmd_sn), (a.itt(), Serial(101)));
    assert_eq!(tmf.cmd_sn, Serial(102));
    lab.hear_tmf(tmf.itt, TaskResponse::Complete);
    assert_eq!(lab.outcome(a), aborted(AbortCause::Caller));
    assert_eq!(lab.events(), [done(id, TaskResponse::Complete)]);
}

#[test]
fn rfc_point_21_a_function_covers_what_was_sent_before_it() {
    for (tmf, kept) in [
        (Tmf::AbortTaskSet(LUN), 2),
        (Tmf::ClearTaskSet(LUN), 2),
        (Tmf::LunReset(LUN), 2),
        (Tmf::TargetWarmReset, 1),
        (Tmf::TargetColdReset, 1),
    ] {
        let mut lab = lab();
        let (a, b) = (lab.read(0), lab.read(0));
        let other = lab.submit(Command { lun: Lun::ZERO, ..command(Direction::None, 0) });
        lab.sent();
        let id = lab.session.task_management(tmf).unwrap();
        let late = lab.read(0);
        let request = lab.next_tmf();
        assert_eq!(lab.next_command().cmd_sn, request.cmd_sn, "the order is kept");
        lab.hear_tmf(request.itt, TaskResponse::Complete);
        assert_eq!(lab.outcome(a), aborted(AbortCause::Caller));
        assert_eq!(lab.outcome(b), aborted(AbortCause::Caller));
        if kept == 1 {
            assert_eq!(lab.outcome(other), aborted(AbortCause::Caller));
        }
        assert_eq!(lab.events(), [done(id, TaskResponse::Complete)]);
        assert_eq!(lab.session.in_flight(), kept);
        lab.hear_good(late);
    }
}

#[test]
fn rfc_point_21_a_status_before_the_answer_counts() {
    let mut lab = lab();
    let (a, b) = (lab.read(0), lab.read(0));
    lab.sent();
    lab.session.task_management(Tmf::LunReset(LUN)).unwrap();
    let tmf = lab.next_tmf();
    lab.hear_good(a);
    assert_eq!(lab.outcome(a), good(0));
    lab.hear_tmf(tmf.itt, TaskResponse::Complete);
    assert_eq!(lab.outcome(b), aborted(AbortCause::Caller));
    let pdu = lab.response(b, Status::Good);
    let error = lab.hear_response(pdu, &[]);
    assert_eq!(error, Err(ProtocolError::TaskTag(b.itt())), "after the answer none may come");
}

#[test]
fn rfc_point_21_r2ts_are_answered_unless_aborts_are_fast() {
    for fast in [false, true] {
        let mut lab = lab_with(|params| {
            if fast {
                params.task_reporting = TaskReporting::FastAbort;
            }
        });
        let a = lab.write(65536);
        lab.sent();
        lab.hear_r2t(lab.r2t(a, 0, 16384, 8192)).unwrap();
        lab.session.task_management(Tmf::AbortTaskSet(LUN)).unwrap();
        let tmf = lab.next_tmf();
        assert_eq!(lab.sent().len(), usize::from(!fast));
        lab.hear_r2t(lab.r2t(a, 1, 24576, 8192)).unwrap();
        assert_eq!(lab.sent().len(), usize::from(!fast));
        lab.hear_tmf(tmf.itt, TaskResponse::Complete);
        assert_eq!(lab.outcome(a), aborted(AbortCause::Caller));
    }
}

#[test]
fn rfc_point_21_a_refused_function_changes_nothing() {
    let mut lab = lab();
    let a = lab.read(0);
    lab.sent();
    for response in
        [TaskResponse::NotSupported, TaskResponse::NotAuthorized, TaskResponse::Rejected]
    {
        let id = lab.session.task_management(Tmf::AbortTask(a)).unwrap();
        let tmf = lab.next_tmf();
        lab.hear_tmf(tmf.itt, response);
        assert_eq!(lab.events(), [done(id, response)]);
    }
    lab.hear_good(a);
    assert_eq!(lab.outcome(a), good(0));
}

#[test]
fn rfc_point_21_what_is_queued_or_done_needs_no_function() {
    let mut lab = lab();
    let (a, b) = (lab.read(0), lab.read(0));
    lab.next_command();
    let id = lab.session.task_management(Tmf::AbortTask(b)).unwrap();
    assert_eq!(lab.outcome(b), Outcome::Aborted { cause: AbortCause::Caller, sent: Sent::Never });
    assert_eq!(lab.event(), Event::TmfDone { id, outcome: TmfOutcome::NeverSent });
    let id = lab.session.task_management(Tmf::AbortTask(a)).unwrap();
    lab.hear_good(a);
    lab.outcome(a);
    assert_eq!(lab.next(), None);
    assert_eq!(lab.event(), Event::TmfDone { id, outcome: TmfOutcome::AlreadyDone });
}

#[test]
fn rfc_point_21_task_reassign_needs_more_recovery() {
    let mut lab = lab();
    let a = lab.read(0);
    let refused = lab.session.task_management(Tmf::TaskReassign(a));
    assert_eq!(refused, Err(TmfError::ErrorRecoveryLevel));
}

#[test]
fn an_overdue_command_is_aborted_and_a_busy_one_is_not() {
    let mut lab = lab();
    let (a, b) = (lab.read(8192), lab.write(65536));
    lab.sent();
    lab.stay_alive(29);
    lab.hear_data_in(lab.data_in(a, 0, 0, 512)).unwrap();
    lab.stay_alive(30);
    assert_eq!(lab.next(), None, "both had data to show at the first look");
    lab.wait(SECOND);
    let tmf = lab.next_tmf();
    assert_eq!(tmf.referenced, a.itt());
    lab.hear_tmf(tmf.itt, TaskResponse::TaskDoesNotExist);
    assert_eq!(lab.outcome(a), aborted(AbortCause::Deadline));
    assert_eq!(lab.next_tmf().referenced, b.itt());
}

#[test]
fn a_queued_command_that_is_overdue_ends_at_once() {
    let mut lab = lab_at(&params(), 100, 0);
    let a = lab.write(4096);
    lab.session.handle_timeout(30 * SECOND);
    let outcome = Outcome::Aborted { cause: AbortCause::Deadline, sent: Sent::Never };
    assert_eq!(lab.outcome(a), outcome);
}

#[test]
fn the_ladder_goes_up_to_the_end_of_the_session() {
    let mut lab = lab();
    let (a, b) = (lab.write(4096), lab.read(0));
    lab.sent();
    assert!(lab.session.cancel(a));
    let abort = lab.next_tmf();
    assert_eq!(abort.function, TaskFunction::AbortTask);
    lab.hear_tmf(abort.itt, TaskResponse::NotSupported);
    let reset = lab.next_tmf();
    assert_eq!((reset.function, reset.lun), (TaskFunction::LogicalUnitReset, LUN));
    assert_eq!(lab.events(), [], "the write is not handed back while it may execute");
    lab.hear_tmf(reset.itt, TaskResponse::Rejected);
    assert_eq!(lab.events(), [Event::Failed(Failure::TaskStuck(a))]);
    let left: Vec<_> = lab.session.into_unfinished().map(|left| (left.task, left.sent)).collect();
    assert_eq!(left, [(a, Sent::MaybeExecuted), (b, Sent::MaybeExecuted)]);
}

#[test]
fn an_answer_that_comes_late_still_counts() {
    let mut lab = lab();
    let (a, b) = (lab.write(4096), lab.read(0));
    lab.sent();
    lab.session.cancel(a);
    let abort = lab.next_tmf();
    lab.now += 5 * SECOND;
    lab.session.handle_timeout(lab.now);
    let reset = lab.next_tmf();
    assert_eq!(reset.function, TaskFunction::LogicalUnitReset);
    lab.hear_tmf(abort.itt, TaskResponse::Complete);
    assert_eq!(lab.outcome(a), aborted(AbortCause::Caller));
    lab.hear_tmf(reset.itt, TaskResponse::Complete);
    assert_eq!(lab.outcome(b), aborted(AbortCause::Deadline), "it was covered by the reset");
}

#[test]
fn one_reset_serves_all() {
    let mut lab = lab();
    let (a, b) = (lab.write(4096), lab.write(4096));
    lab.sent();
    lab.session.cancel(a);
    lab.session.cancel(b);
    let first = lab.next_tmf();
    lab.hear_tmf(first.itt, TaskResponse::NotSupported);
    let second = lab.next_tmf();
    assert_eq!(second.referenced, b.itt());
    lab.hear_tmf(second.itt, TaskResponse::NotSupported);
    let reset = lab.next_tmf();
    assert_eq!(lab.next(), None);
    lab.hear_tmf(reset.itt, TaskResponse::Complete);
    assert_eq!(lab.events().len(), 2);
    assert_eq!(lab.next(), None);
}

#[test]
fn rfc_point_16_terminated_tasks_send_no_more_data_and_the_target_is_told() {
    let mut lab = lab_with(|params| params.task_reporting = TaskReporting::FastAbort);
    let a = lab.write(65536);
    lab.sent();
    lab.hear_r2t(lab.r2t(a, 0, 16384, 16384)).unwrap();
    lab.hear_async(AsyncEvent::TasksTerminated, &[]);
    assert_eq!(lab.event(), Event::Async(AsyncNotice::TasksTerminated { lun: LUN }));
    let nop = lab.next_nop();
    assert_eq!((nop.itt, nop.ttt, nop.lun), (Itt::NONE, Ttt::NONE, LUN));
    assert_eq!(nop.exp_stat_sn, Serial(701), "it acknowledges the message");
    let tmf = lab.next_tmf();
    assert_eq!(lab.next(), None);
    lab.hear_tmf(tmf.itt, TaskResponse::TaskDoesNotExist);
    assert_eq!(lab.outcome(a), aborted(AbortCause::Target));
}

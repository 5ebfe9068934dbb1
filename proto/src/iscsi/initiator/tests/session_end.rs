//! NOP, text, async messages, Reject, logout, and what a session leaves (RFC points 15 to 19).

use super::*;
use crate::iscsi::negotiate::SessionType;

#[test]
fn rfc_point_15_a_ping_of_the_target_is_answered_with_its_tag_and_lun() {
    let mut lab = lab();
    let ping = lab.nop_in(Itt::NONE, Ttt(0x55), 5);
    assert_eq!(lab.hear(TargetPdu::NopIn(ping), b"hello"), Ok(Receive::Inline { len: 5 }));
    let (InitiatorPdu::NopOut(pong), data) = lab.next().unwrap() else { panic!("no answer") };
    assert!(pong.immediate);
    assert_eq!((pong.itt, pong.ttt, pong.lun), (Itt::NONE, Ttt(0x55), LUN));
    assert_eq!(data, TransmitData::Bytes(b"hello".to_vec()));
    assert_eq!(pong.exp_stat_sn, Serial(700), "such a ping takes no number");
}

#[test]
fn rfc_point_15_no_more_is_echoed_than_the_target_takes() {
    let mut lab = lab_with(|params| params.max_send_data_segment_len = 512);
    let ping = lab.nop_in(Itt::NONE, Ttt(0x55), 600);
    lab.hear(TargetPdu::NopIn(ping), &[7; 600]).unwrap();
    assert_eq!(lab.next_nop().data_len, 512);
}

#[test]
fn rfc_point_15_a_ping_without_a_tag_wants_no_answer() {
    let mut lab = lab();
    lab.hear(TargetPdu::NopIn(lab.nop_in(Itt::NONE, Ttt::NONE, 0)), &[]).unwrap();
    assert_eq!(lab.next(), None);
}

#[test]
fn rfc_point_15_our_ping_is_answered_once() {
    let mut lab = lab();
    lab.session.ping();
    let nop = lab.next_nop();
    assert_eq!((nop.ttt, nop.data_len), (Ttt::NONE, 0));
    lab.now += 7;
    lab.hear(TargetPdu::NopIn(lab.nop_in(nop.itt, Ttt::NONE, 0)), &[]).unwrap();
    assert_eq!(lab.events(), [Event::Pong { round_trip_ns: 7 }]);
    lab.stat_sn = lab.stat_sn.next();
    let again = lab.hear(TargetPdu::NopIn(lab.nop_in(nop.itt, Ttt::NONE, 0)), &[]);
    assert_eq!(again, Err(ProtocolError::TaskTag(nop.itt)));
}

#[test]
fn rfc_point_15_pings_have_a_limit() {
    let mut lab = lab();
    for _ in 0..PINGS_MAX {
        lab.hear(TargetPdu::NopIn(lab.nop_in(Itt::NONE, Ttt(1), 0)), &[]).unwrap();
    }
    let error = lab.hear(TargetPdu::NopIn(lab.nop_in(Itt::NONE, Ttt(1), 0)), &[]);
    assert_eq!(error, Err(ProtocolError::PingCount { max: PINGS_MAX }));
}

#[test]
fn silence_is_pinged_and_then_ends_the_session() {
    let mut lab = lab();
    let a = lab.read(0);
    lab.sent();
    lab.wait(2 * SECOND);
    lab.next_nop();
    lab.wait(5 * SECOND);
    assert_eq!(lab.next(), None, "one ping at a time");
    assert_eq!(lab.events(), []);
    lab.wait(SECOND);
    assert_eq!(lab.events(), [Event::Failed(Failure::Silent)]);
    assert_eq!(lab.session.poll_timeout(), None);
    assert_eq!(lab.session.into_unfinished().count(), usize::from(a.slot()) + 1);
}

#[test]
fn a_target_that_speaks_is_not_pinged() {
    let mut lab = lab();
    for _ in 0..20 {
        lab.wait(SECOND);
        lab.hear(TargetPdu::NopIn(lab.nop_in(Itt::NONE, Ttt::NONE, 0)), &[]).unwrap();
        assert_eq!(lab.next(), None);
    }
}

#[test]
fn rfc_point_16_a_logout_request_stops_commands_and_waits_for_tasks() {
    for event in [
        AsyncEvent::LogoutRequested { within: 10 },
        AsyncEvent::NegotiationRequested { within: 10 },
    ] {
        let mut lab = lab();
        let a = lab.read(0);
        lab.next_command();
        let b = lab.read(0);
        lab.hear_async(event, &[]);
        assert!(matches!(lab.event(), Event::Async(_)));
        assert_eq!(lab.next(), None);
        let refused = lab.session.submit(command(Direction::None, 0), 0);
        assert_eq!(refused, Err(SubmitError::NotRunning(State::Leaving)));
        lab.hear_good(a);
        lab.outcome(a);
        assert!(matches!(lab.next(), Some((InitiatorPdu::Logout(_), _))));
        lab.session.fail(Failure::ConnectionLost);
        lab.events();
        let left: Vec<_> = lab.session.into_unfinished().map(|l| (l.task, l.sent)).collect();
        assert_eq!(left, [(b, Sent::Never)]);
    }
}

#[test]
fn rfc_point_16_the_logout_does_not_wait_for_ever() {
    let mut lab = lab();
    lab.read(0);
    lab.next_command();
    lab.hear_async(AsyncEvent::LogoutRequested { within: 2 }, &[]);
    assert_eq!(lab.next(), None);
    lab.wait(SECOND);
    assert!(matches!(lab.next(), Some((InitiatorPdu::Logout(_), _))));
}

#[test]
fn rfc_point_16_a_dropped_connection_is_over() {
    let drop = |cid| AsyncEvent::ConnectionDropped { cid, time2wait: 3, time2retain: 0 };
    let mut lab = lab();
    lab.hear_async(drop(2), &[]);
    assert_eq!(lab.events(), [Event::Async(AsyncNotice::ConnectionDropped { cid: 2 })]);
    lab.hear_async(drop(1), &[]);
    let failed = Event::Failed(Failure::Dropped { time2wait: 3, time2retain: 0 });
    assert_eq!(lab.events(), [failed]);
    let mut lab = super::lab();
    lab.hear_async(AsyncEvent::SessionDropped { time2wait: 9, time2retain: 1 }, &[]);
    let failed = Event::Failed(Failure::Dropped { time2wait: 9, time2retain: 1 });
    assert_eq!(lab.events(), [failed]);
}

#[test]
fn rfc_point_16_sense_of_a_logical_unit_is_handed_on() {
    let mut lab = lab();
    lab.hear_async(AsyncEvent::Scsi, &[0, 3, 0x70, 0, 6]);
    let Event::Async(AsyncNotice::Sense { lun, sense }) = lab.event() else { panic!("no sense") };
    assert_eq!((lun, sense.as_slice()), (LUN, &[0x70, 0, 6][..]));
}

#[test]
fn rfc_point_17_logout_comes_last_and_alone() {
    let mut lab = lab();
    let (a, _) = (lab.read(0), lab.sent());
    lab.session.logout();
    assert_eq!(lab.next(), None, "what is under way is finished first");
    lab.hear_good(a);
    lab.outcome(a);
    let Some((InitiatorPdu::Logout(logout), _)) = lab.next() else { panic!("no logout") };
    assert!(logout.immediate);
    assert_eq!(logout.reason, LogoutReason::CloseSession);
    lab.session.ping();
    lab.hear(TargetPdu::NopIn(lab.nop_in(Itt::NONE, Ttt(1), 0)), &[]).unwrap();
    assert_eq!(lab.next(), None);
    let pdu = LogoutResponse {
        result: LogoutResult::Closed,
        itt: logout.itt,
        stat_sn: lab.stat_sn.take(),
        exp_cmd_sn: lab.exp_cmd_sn,
        max_cmd_sn: lab.max_cmd_sn,
        time2wait: 4,
        time2retain: 20,
    };
    lab.hear(TargetPdu::LogoutResponse(pdu), &[]).unwrap();
    let event = Event::LoggedOut { result: LogoutResult::Closed, time2wait: 4, time2retain: 20 };
    assert_eq!(lab.events(), [event]);
    assert_eq!(lab.hear(TargetPdu::LogoutResponse(pdu), &[]), Err(ProtocolError::AfterEnd));
    assert_eq!(lab.session.state(), State::LoggedOut);
}

#[test]
fn rfc_point_17_a_logout_without_answer_ends_the_session() {
    let mut lab = lab();
    lab.session.logout();
    assert!(lab.next().is_some());
    lab.wait(5 * SECOND);
    assert_eq!(lab.events(), [Event::Failed(Failure::LogoutTimedOut)]);
}

#[test]
fn rfc_point_18_a_rejected_command_goes_again_under_its_number() {
    let mut lab = lab();
    let (a, _) = (lab.write(4096), lab.read(0));
    let first = lab.session.poll_transmit(0).unwrap();
    lab.hear_reject(RejectReason::DataDigestError, &first.bhs);
    let again = lab.session.poll_transmit(0).unwrap();
    assert_eq!(again.bhs[..28], first.bhs[..28], "all but ExpStatSN is the same");
    assert_eq!(lab.next_command().cmd_sn, Serial(101));
    lab.exp_cmd_sn = Serial(102);
    lab.hear_good(a);
    assert_eq!(lab.outcome(a), good(4096));
}

#[test]
fn rfc_point_18_a_reject_does_not_end_a_task_that_the_target_has() {
    let mut lab = lab();
    let a = lab.write(65536);
    lab.next_command();
    let data = lab.session.poll_transmit(0).unwrap();
    lab.exp_cmd_sn = Serial(101);
    lab.hear_reject(RejectReason::DataDigestError, &data.bhs);
    assert_eq!((lab.events(), lab.next()), (Vec::new(), None));
    let pdu = lab.response(a, Status::CheckCondition);
    lab.hear_response(pdu, &[]).unwrap();
    assert!(matches!(lab.outcome(a), Outcome::Status { .. }));
}

#[test]
fn rfc_point_18_data_that_cross_with_the_status_may_be_rejected() {
    let mut lab = lab();
    let a = lab.write(65536);
    lab.next_command();
    let data = lab.session.poll_transmit(0).unwrap();
    let pdu = lab.response(a, Status::CheckCondition);
    lab.hear_response(pdu, &[]).unwrap();
    lab.hear_reject(RejectReason::InvalidPduField, &data.bhs);
    lab.outcome(a);
    assert_eq!((lab.events(), lab.session.state()), (Vec::new(), State::Running));
}

#[test]
fn rfc_point_18_one_immediate_command_too_many_is_tried_again() {
    let mut lab = lab();
    let a = lab.read(0);
    lab.sent();
    lab.session.cancel(a);
    let first = lab.session.poll_transmit(0).unwrap();
    lab.hear_reject(RejectReason::ImmediateCommandReject, &first.bhs);
    assert_eq!(lab.next(), None);
    lab.wait(10 * MS);
    let again = lab.next_tmf();
    assert_eq!(again.referenced, a.itt());
    lab.hear_tmf(again.itt, TaskResponse::Complete);
    assert_eq!(lab.events().len(), 1);
}

#[test]
fn rfc_point_18_a_function_that_is_rejected_for_good_moves_the_ladder() {
    let mut lab = lab();
    let a = lab.read(0);
    lab.sent();
    lab.session.cancel(a);
    let first = lab.session.poll_transmit(0).unwrap();
    lab.hear_reject(RejectReason::CommandNotSupported, &first.bhs);
    assert_eq!(lab.next_tmf().function, TaskFunction::LogicalUnitReset);
}

#[test]
fn rfc_point_18_the_rest_of_the_reasons() {
    let hear = |reason| {
        let mut lab = lab();
        lab.read(0);
        let sent = lab.session.poll_transmit(0).unwrap();
        lab.hear_reject(reason, &sent.bhs);
        (lab.session.state(), lab.events())
    };
    let failed = |reason| (State::Failed, [Event::Failed(Failure::Rejected(reason))].to_vec());
    for code in [0x03, 0x04, 0x05, 0x07, 0x08, 0x09, 0x0b, 0x77] {
        let reason = RejectReason::from_code(code);
        assert_eq!(hear(reason), failed(reason));
    }
    assert_eq!(hear(RejectReason::WaitingForLogout), (State::Leaving, Vec::new()));
}

#[test]
fn rfc_point_19_what_is_left_comes_in_the_order_of_submission() {
    let mut lab = lab_at(&params(), 100, 3);
    let (a, b, c, d) = (lab.write(512), lab.write(512), lab.read(512), lab.write(512));
    lab.sent();
    lab.hear_good(a);
    lab.outcome(a);
    // The slot of the first comes back for the last.
    let e = lab.write(1024);
    assert_eq!(e.slot(), a.slot());
    lab.session.fail(Failure::ConnectionLost);
    assert_eq!(lab.events(), [Event::Failed(Failure::ConnectionLost)]);
    assert_eq!(lab.next(), None);
    let left: Vec<_> = lab.session.into_unfinished().collect();
    let shape: Vec<_> = left.iter().map(|left| (left.task, left.sent)).collect();
    let (maybe, never) = (Sent::MaybeExecuted, Sent::Never);
    assert_eq!(shape, [(b, maybe), (c, maybe), (d, never), (e, never)]);
    assert_eq!(left[3].command.len, 1024);
}

#[test]
fn discovery_is_text_and_nothing_else() {
    let mut lab = lab_with(|params| params.session_type = SessionType::Discovery);
    let refused = lab.session.submit(command(Direction::None, 0), 0);
    assert_eq!(refused, Err(SubmitError::Discovery));
    lab.session.text(b"SendTargets=All\0".to_vec()).unwrap();
    assert_eq!(lab.session.text(Vec::new()), Err(TextError::Busy));
    let (InitiatorPdu::Text(first), data) = lab.next().unwrap() else { panic!("no text") };
    assert_eq!((first.ttt, first.cmd_sn, first.is_final), (Ttt::NONE, Serial(100), true));
    assert_eq!(data, TransmitData::Bytes(b"SendTargets=All\0".to_vec()));
    let mut pdu = TextResponse {
        is_final: false,
        is_continued: true,
        data_len: 11,
        lun: LUN,
        itt: first.itt,
        ttt: Ttt(0x99),
        stat_sn: lab.stat_sn.take(),
        exp_cmd_sn: Serial(101),
        max_cmd_sn: Serial(110),
    };
    lab.hear(TargetPdu::TextResponse(pdu), b"TargetName=").unwrap();
    let (InitiatorPdu::Text(next), data) = lab.next().unwrap() else { panic!("no text") };
    assert_eq!((next.itt, next.ttt, next.lun), (first.itt, Ttt(0x99), LUN));
    assert_eq!((next.cmd_sn, data), (Serial(101), TransmitData::None));
    pdu = TextResponse { is_final: true, is_continued: false, data_len: 6, ttt: Ttt::NONE, ..pdu };
    pdu.stat_sn = lab.stat_sn.take();
    lab.hear(TargetPdu::TextResponse(pdu), b"iqn.a\0").unwrap();
    let keys = b"TargetName=iqn.a\0".to_vec();
    assert_eq!(lab.events(), [Event::Text(TextOutcome::Done(keys))]);
}

#[test]
fn rfc_point_18_a_rejected_text_request_leaves_no_hole_behind() {
    for is_counted in [true, false] {
        let mut lab = lab();
        lab.session.text(Vec::new()).unwrap();
        let request = lab.session.poll_transmit(0).unwrap();
        lab.exp_cmd_sn = lab.exp_cmd_sn.plus(u32::from(is_counted));
        let reason = RejectReason::OutOfResources;
        lab.hear_reject(reason, &request.bhs);
        let text = Event::Text(TextOutcome::Rejected(reason));
        let failed = Event::Failed(Failure::Rejected(reason));
        assert_eq!(lab.events(), [if is_counted { text } else { failed }]);
    }
}

#[test]
fn rfc_point_18_a_rejected_ping_comes_again_when_the_silence_lasts() {
    let mut lab = lab();
    lab.session.ping();
    let ping = lab.session.poll_transmit(0).unwrap();
    lab.hear_reject(RejectReason::ImmediateCommandReject, &ping.bhs);
    assert_eq!(lab.next(), None);
    lab.wait(2 * SECOND);
    let again = lab.next_nop();
    lab.hear(TargetPdu::NopIn(lab.nop_in(again.itt, Ttt::NONE, 0)), &[]).unwrap();
    assert!(matches!(lab.event(), Event::Pong { .. }));
}

#[test]
fn endless_text_is_cut_off() {
    let mut lab = lab();
    lab.session.text(Vec::new()).unwrap();
    let mut result = Ok(Receive::Nothing);
    let mut rounds = 0;
    while result.is_ok() {
        let Some((InitiatorPdu::Text(request), _)) = lab.next() else { panic!("no text") };
        rounds += 1;
        let pdu = TextResponse {
            is_final: false,
            is_continued: false,
            data_len: 65536,
            lun: LUN,
            itt: request.itt,
            ttt: Ttt(1),
            stat_sn: lab.stat_sn.take(),
            exp_cmd_sn: request.cmd_sn.next(),
            max_cmd_sn: request.cmd_sn.plus(5),
        };
        result = lab.hear(TargetPdu::TextResponse(pdu), &[b'x'; 65536]);
    }
    assert_eq!(result, Err(ProtocolError::TextLength { max: TEXT_BYTES_MAX }));
    assert_eq!(rounds, 17);
}

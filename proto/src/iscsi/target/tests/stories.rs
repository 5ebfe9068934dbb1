//! The points of RFC 7143 that concern a target, one story each.

use std::vec;

use super::*;
use crate::iscsi::target::config::{CONTROL_MAX, STAT_SN_GAP_MAX};

#[test]
fn section_4_2_2_1_commands_are_delivered_in_order_and_early_ones_wait() {
    let mut rig = Rig::new();
    let (a, b, c) = (rig.read(1, 512), rig.nop(2, 3, false), rig.read(3, 512));
    rig.send(c, &[]);
    rig.send(c, &[]);
    rig.send(b, &[7, 8, 9]);
    assert_eq!((rig.events(), rig.out()), (vec![], vec![]));
    rig.send(a, &[]);
    let tags: Vec<_> =
        rig.events().into_iter().map(|event| matches!(event, Event::Command(_))).collect();
    assert_eq!(tags, [true, true]);
    let TargetPdu::NopIn(pong) = rig.one() else { panic!("the ping had its turn") };
    assert_eq!((pong.itt, pong.exp_cmd_sn), (Itt(2), rig.cmd_sn));
}

#[test]
fn section_4_2_2_1_what_is_outside_the_window_is_ignored_in_silence() {
    let mut rig = Rig::new();
    let late = rig.read(1, 512);
    rig.send(late, &[]);
    let command = rig.executes();
    rig.good(command);
    rig.out();
    rig.send(late, &[]);
    let mut far = rig.plain(2, 0);
    far.cmd_sn = rig.cmd_sn.plus(8);
    rig.send(InitiatorPdu::ScsiCommand(far), &[]);
    assert_eq!((rig.events(), rig.out()), (vec![], vec![]));
}

#[test]
fn section_4_2_2_1_the_window_is_as_wide_as_the_slots_that_are_free() {
    let mut rig = Rig::new();
    for n in 0..8 {
        let read = rig.read(n, 512);
        rig.send(read, &[]);
    }
    let events = rig.events();
    assert_eq!(events.len(), 8);
    let ninth = rig.read(9, 512);
    rig.send(ninth, &[]);
    assert_eq!(rig.events(), []);
    let Event::Command(first) = events[0] else { panic!("a command") };
    rig.good(first);
    let TargetPdu::DataIn(pdu) = rig.one() else { panic!("data with status") };
    assert_eq!(pdu.max_cmd_sn, START.exp_cmd_sn.plus(8), "the status itself reopens the window");
    rig.send(ninth, &[]);
    assert_eq!(rig.executes().edtl, 512);
}

#[test]
fn section_4_2_2_1_a_closed_window_lets_immediate_requests_in_and_is_reopened_by_a_nop_in() {
    let mut rig = Rig::new();
    rig.session.set_window_max(0);
    for n in 0..8 {
        let ping = rig.nop(n, 0, false);
        rig.send(ping, &[]);
    }
    assert_eq!(rig.out().len(), 8);
    let ping = rig.nop(9, 0, false);
    rig.send(ping, &[]);
    assert_eq!(rig.out(), []);
    let tmf = rig.tmf(TaskFunction::AbortTask, 1);
    rig.send(InitiatorPdu::TaskManagement(tmf), &[]);
    assert!(matches!(rig.one(), TargetPdu::TaskManagementResponse(_)));
    rig.session.set_window_max(1);
    let TargetPdu::NopIn(update) = rig.one() else { panic!("the window is told") };
    assert_eq!((update.itt, update.ttt), (Itt::NONE, Ttt::NONE));
    assert_eq!(update.max_cmd_sn, update.exp_cmd_sn);
    assert_eq!(rig.out(), [], "once");
    rig.send(ping, &[]);
    assert!(matches!(rig.one(), TargetPdu::NopIn(pong) if pong.itt == Itt(9)));
}

#[test]
fn section_4_2_2_1_a_window_of_one_never_stalls() {
    let mut rig = Rig::new();
    rig.session.set_window_max(1);
    for n in 0..20 {
        let read = rig.read(n, 512);
        rig.send(read, &[]);
        let command = rig.executes();
        rig.good(command);
        assert_eq!(rig.out().iter().filter(|out| out.ends.is_some()).count(), 1);
    }
}

#[test]
fn section_4_2_2_2_stat_sn_is_taken_by_statuses_only() {
    let mut rig = Rig::new();
    let write = rig.write(1, 2048, 0, true);
    rig.send(write, &[]);
    rig.now = 2000;
    rig.session.handle_timeout(2000);
    let out = rig.out();
    assert!(matches!(out[0].pdu, TargetPdu::NopIn(pdu) if pdu.stat_sn == START.stat_sn));
    assert!(r2ts(&out).iter().all(|r2t| r2t.stat_sn == START.stat_sn));
    let ping = rig.nop(5, 0, true);
    rig.send(ping, &[]);
    rig.send(ping, &[]);
    let out = rig.out();
    assert!(matches!(out[0].pdu, TargetPdu::NopIn(pdu) if pdu.stat_sn == START.stat_sn));
    assert!(matches!(out[1].pdu, TargetPdu::NopIn(pdu) if pdu.stat_sn == START.stat_sn.next()));
}

#[test]
fn section_4_2_2_2_an_acknowledgement_of_the_future_or_of_long_ago_ends_the_connection() {
    let mut rig = Rig::new();
    rig.stat_sn = START.stat_sn.next();
    let ahead = rig.read(1, 0).encode();
    assert!(matches!(rig.feed(ahead, &[]), Err(ProtocolError::StatSnAhead { .. })));
    rig.stat_sn = START.stat_sn.minus(STAT_SN_GAP_MAX + 1);
    let behind = rig.read(1, 0).encode();
    assert!(matches!(rig.feed(behind, &[]), Err(ProtocolError::StatSnGap { .. })));
}

#[test]
fn section_11_2_1_8_a_tag_in_use_is_rejected_and_one_that_was_answered_is_free() {
    let mut rig = Rig::new();
    let first = rig.read(1, 512);
    rig.send(first, &[]);
    let command = rig.executes();
    let twin = rig.read(1, 512);
    rig.send(twin, &[]);
    assert_eq!(rig.reason(), RejectReason::TaskInProgress);
    rig.good(command);
    let ends = rig.session.poll_transmit().unwrap().ends.unwrap();
    let next = rig.read(1, 512);
    rig.send(next, &[]);
    assert_ne!(rig.executes().task, ends, "the old slot is still leaving");
    rig.session.sent(ends);
}

#[test]
fn section_11_3_4_immediate_data_need_leave_and_room() {
    for (params, len) in [
        (SessionParams { immediate_data: false, ..params() }, 512),
        (SessionParams { first_burst_len: 512, ..params() }, 1024),
    ] {
        let mut rig = Rig::with(&params);
        let write = rig.write(1, 2048, len, true);
        assert_eq!(rig.send(write, &[]), Receive::Discard { len });
        assert_eq!(sense(&rig.out()[0]), (0x0c, 0x0c));
    }
}

#[test]
fn section_13_10_unsolicited_data_without_leave_fail_the_task_after_their_last_pdu() {
    let mut rig = Rig::with(&SessionParams { initial_r2t: true, ..params() });
    let write = rig.write(1, 1024, 0, false);
    rig.send(write, &[]);
    assert_eq!(rig.out(), []);
    for run in [(0, 0, 512, false), (1, 512, 512, true)] {
        let data = rig.data_out(1, Ttt::NONE, run);
        assert_eq!(rig.send(data, &[]), Receive::Discard { len: 512 });
    }
    assert_eq!(sense(&rig.out()[0]), (0x0c, 0x0c));
    assert_eq!(rig.events(), []);
}

#[test]
fn section_11_4_7_2_an_unsolicited_run_that_stops_short_fails_the_task() {
    let mut rig = Rig::new();
    let write = rig.write(1, 4096, 256, false);
    rig.send(write, &[]);
    let data = rig.data_out(1, Ttt::NONE, (0, 256, 256, true));
    rig.send(data, &[]);
    assert_eq!(sense(&rig.out()[0]), (0x0c, 0x0d));
}

#[test]
fn section_11_8_r2ts_are_cut_by_max_burst_and_bounded_by_max_outstanding() {
    let mut rig = Rig::new();
    let write = rig.write(1, 4000, 512, false);
    assert!(matches!(rig.send(write, &[]), Receive::Task { offset: 0, len: 512, .. }));
    let data = rig.data_out(1, Ttt::NONE, (0, 512, 512, true));
    assert!(matches!(rig.send(data, &[]), Receive::Task { offset: 512, len: 512, .. }));
    let first = r2ts(&rig.out());
    let shape = |r2t: &R2t| (r2t.r2t_sn, r2t.offset, r2t.desired_len);
    assert_eq!(first.iter().map(shape).collect::<Vec<_>>(), [(0, 1024, 1024), (1, 2048, 1024)]);
    assert_ne!(first[0].ttt, first[1].ttt);
    let data = rig.data_out(1, first[0].ttt, (0, 1024, 1024, true));
    rig.send(data, &[]);
    let third = r2ts(&rig.out());
    assert_eq!(third.iter().map(shape).collect::<Vec<_>>(), [(2, 3072, 928)]);
    for (r2t, run) in [(first[1], (0, 2048, 1024, true)), (third[0], (0, 3072, 928, true))] {
        assert_eq!(rig.events(), []);
        let data = rig.data_out(1, r2t.ttt, run);
        rig.send(data, &[]);
    }
    assert_eq!(rig.executes().edtl, 4000);
}

#[test]
fn section_11_8_a_transfer_tag_out_of_order_or_of_nobody_is_rejected_and_the_task_goes_on() {
    let mut rig = Rig::new();
    let write = rig.write(1, 2048, 0, true);
    rig.send(write, &[]);
    let r2t = r2ts(&rig.out());
    for ttt in [r2t[1].ttt, Ttt(12), Ttt::NONE] {
        let data = rig.data_out(1, ttt, (0, 1024, 1024, true));
        rig.send(data, &[]);
        assert_eq!(rig.reason(), RejectReason::InvalidPduField);
    }
    for (r2t, offset) in [(r2t[0], 0), (r2t[1], 1024)] {
        let data = rig.data_out(1, r2t.ttt, (0, offset, 1024, true));
        rig.send(data, &[]);
    }
    assert_eq!(rig.executes().edtl, 2048);
}

#[test]
fn section_7_9_a_data_sn_out_of_order_fails_the_task_once_all_its_data_have_passed() {
    let mut rig = Rig::new();
    let write = rig.write(1, 2048, 0, true);
    rig.send(write, &[]);
    let r2t = r2ts(&rig.out());
    let skip = rig.data_out(1, r2t[0].ttt, (1, 0, 1024, true));
    assert_eq!(rig.send(skip, &[]), Receive::Discard { len: 1024 });
    assert_eq!(rig.out(), [], "the second R2T is outstanding");
    let rest = rig.data_out(1, r2t[1].ttt, (0, 1024, 1024, true));
    rig.send(rest, &[]);
    assert_eq!(sense(&rig.out()[0]), (0x47, 0x05));
}

#[test]
fn section_11_7_6_data_at_the_wrong_place_or_beyond_the_r2t_are_thrown_away() {
    for run in [(0, 4, 512, true), (0, 0, 1025, true), (0, u32::MAX, 512, true), (0, 0, 512, true)]
    {
        let mut rig = Rig::with(&SessionParams { max_recv_data_segment_len: 2000, ..params() });
        let write = rig.write(1, 1024, 0, true);
        rig.send(write, &[]);
        let ttt = r2ts(&rig.out())[0].ttt;
        let data = rig.data_out(1, ttt, run);
        rig.send(data, &[]);
        assert_eq!(sense(&rig.out()[0]), (0x0c, 0x0d), "{run:?}");
    }
}

#[test]
fn section_7_8_a_digest_error_is_rejected_and_fails_only_the_task_it_hit() {
    let mut rig = Rig::new();
    let write = rig.write(1, 1024, 0, true);
    rig.send(write, &[]);
    let ttt = r2ts(&rig.out())[0].ttt;
    let data = rig.data_out(1, ttt, (0, 0, 1024, true));
    rig.feed_as(data.encode(), &[], DataOutcome::DigestError).unwrap();
    let out = rig.out();
    assert!(
        matches!(out[0].pdu, TargetPdu::Reject(pdu) if pdu.reason == RejectReason::DataDigestError)
    );
    assert_eq!(out[0].data, TransmitData::Bytes(data.encode().to_vec()));
    assert_eq!(sense(&out[1]), (0x47, 0x05));
}

#[test]
fn a_fault_takes_the_task_out_of_the_queue_for_r2ts() {
    let mut rig = Rig::new();
    let write = rig.write(1, 4096, 0, true);
    rig.send(write, &[]);
    let r2t = r2ts(&rig.out());
    let fine = rig.data_out(1, r2t[0].ttt, (0, 0, 1024, true));
    rig.send(fine, &[]);
    let skip = rig.data_out(1, r2t[1].ttt, (1, 1024, 1024, true));
    assert!(matches!(rig.session.handle_header(&skip.encode(), 0), Ok(Receive::Discard { .. })));
    assert_eq!(rig.out(), [], "no R2T while the damage is arriving");
    rig.session.handle_data(DataOutcome::Arrived, &[], 0).unwrap();
    let out = rig.out();
    assert_eq!((sense(&out[0]), out.len()), ((0x47, 0x05), 1));
}

#[test]
fn section_7_8_a_command_with_a_digest_error_never_came_and_may_come_again() {
    let mut rig = Rig::new();
    let write = rig.write(1, 512, 512, true);
    rig.feed_as(write.encode(), &[], DataOutcome::DigestError).unwrap();
    let read = rig.read(2, 512);
    rig.send(read, &[]);
    assert!(matches!(rig.events().as_slice(), [Event::Dropped { .. }]));
    assert_eq!(rig.reason(), RejectReason::DataDigestError);
    rig.send(write, &[]);
    assert_eq!(rig.events().len(), 2);
}

#[test]
fn section_11_7_data_in_are_cut_by_segment_and_burst_and_the_last_carries_the_status() {
    let mut rig = Rig::new();
    let read = rig.read(1, 2000);
    rig.send(read, &[]);
    let command = rig.executes();
    rig.session.complete(command.task, Reply::good(Direction::Read, 1600));
    let out = rig.out();
    let expected = [(0, 512, false), (512, 512, true), (1024, 512, false), (1536, 64, true)];
    assert_eq!(out.len(), expected.len());
    for (sn, (out, (offset, len, is_final))) in out.iter().zip(expected).enumerate() {
        let TargetPdu::DataIn(pdu) = out.pdu else { panic!("Data-In") };
        assert_eq!((pdu.data_sn, pdu.offset, pdu.data_len), (sn as u32, offset, len));
        assert_eq!(pdu.is_final, is_final);
        assert_eq!(out.data, TransmitData::Task { task: command.task, offset, len });
        let is_last = sn == 3;
        assert_eq!(pdu.status, is_last.then_some(Status::Good));
        assert_eq!(pdu.residual, if is_last { Residual::Underflow(400) } else { Residual::None });
        assert_eq!(out.ends, is_last.then_some(command.task));
    }
}

#[test]
fn section_11_4_a_failure_after_data_has_its_own_response_with_sense_and_exp_data_sn() {
    let mut rig = Rig::new();
    let read = rig.read(1, 1024);
    rig.send(read, &[]);
    let task = rig.executes().task;
    let sense = [0x70, 0, 3];
    let reply =
        Reply { status: Status::CheckCondition, sense: &sense, data_len: 1024, transfer_len: 1024 };
    rig.session.complete(task, reply);
    let out = rig.out();
    assert!(matches!(out[1].pdu, TargetPdu::DataIn(pdu) if pdu.status.is_none() && pdu.is_final));
    assert_eq!(
        (response(&out[2]).exp_data_sn, response(&out[2]).status),
        (2, Status::CheckCondition)
    );
    assert_eq!(out[2].data, TransmitData::Bytes(vec![0, 3, 0x70, 0, 3]));
}

#[test]
fn section_11_4_5_residuals_of_reads_and_writes() {
    for (edtl, moved, expected) in [
        (512, 512, Residual::None),
        (512, 600, Residual::Overflow(88)),
        (512, 100, Residual::Underflow(412)),
    ] {
        let mut rig = Rig::new();
        let write = rig.write(1, edtl, edtl, true);
        rig.send(write, &[]);
        let command = rig.executes();
        rig.session.complete(command.task, Reply::good(command.direction, moved));
        assert_eq!(response(&rig.out()[0]).residual, expected);
        let read = rig.read(2, edtl);
        rig.send(read, &[]);
        let command = rig.executes();
        rig.session.complete(command.task, Reply::good(command.direction, moved));
        let sent: u32 = rig
            .out()
            .iter()
            .map(|out| match out.pdu {
                TargetPdu::DataIn(pdu) => {
                    assert_eq!(
                        pdu.residual,
                        if pdu.status.is_some() { expected } else { Residual::None }
                    );
                    pdu.data_len
                }
                _ => 0,
            })
            .sum();
        assert_eq!(sent, edtl.min(moved));
    }
}

#[test]
fn section_11_3_2_immediate_commands_take_no_cmd_sn_and_are_few() {
    let mut rig = Rig::new();
    for n in 0..5 {
        let command = ScsiCommand { immediate: true, ..rig.plain(n, 0) };
        rig.send(InitiatorPdu::ScsiCommand(command), &[]);
    }
    assert_eq!(rig.events().len(), usize::from(IMMEDIATE_TASKS_MAX));
    assert_eq!(rig.reason(), RejectReason::ImmediateCommandReject);
    let read = rig.read(9, 1);
    rig.send(read, &[]);
    rig.executes();
}

#[test]
fn section_11_18_a_ping_comes_back_with_its_data() {
    let mut rig = Rig::new();
    let ping = rig.nop(4, 600, true);
    rig.send(ping, &[9; 600]);
    let out = rig.out();
    let TargetPdu::NopIn(pong) = out[0].pdu else { panic!("a pong") };
    assert_eq!((pong.itt, pong.ttt, pong.data_len), (Itt(4), Ttt::NONE, 512));
    assert_eq!(out[0].data, TransmitData::Bytes(vec![9; 512]));
}

#[test]
fn section_11_19_a_silent_peer_is_pinged_and_then_told() {
    let mut rig = Rig::new();
    assert_eq!(rig.session.poll_timeout(), Some(1000));
    rig.session.handle_timeout(999);
    assert_eq!(rig.out(), []);
    rig.session.handle_timeout(1000);
    let TargetPdu::NopIn(ping) = rig.one() else { panic!("a ping") };
    assert_ne!(ping.ttt, Ttt::NONE);
    let answered = rig.clone();
    assert_eq!(rig.session.poll_timeout(), Some(1500));
    rig.session.handle_timeout(1500);
    assert_eq!((rig.events(), rig.session.poll_timeout()), (vec![Event::PeerSilent], None));
    let mut rig = answered;
    rig.now = 1400;
    let InitiatorPdu::NopOut(nop) = rig.nop(u32::MAX, 0, true) else { panic!("a NOP-Out") };
    let pong = InitiatorPdu::NopOut(NopOut { ttt: ping.ttt, ..nop });
    rig.send(pong, &[]);
    assert_eq!((rig.out(), rig.session.poll_timeout()), (vec![], Some(2400)));
    rig.send(pong, &[]);
    assert_eq!(rig.reason(), RejectReason::InvalidPduField, "answered once");
}

fn text(rig: &mut Rig, ttt: Ttt, data_len: usize, is_continued: bool) -> InitiatorPdu {
    InitiatorPdu::Text(TextRequest {
        immediate: false,
        is_final: !is_continued,
        is_continued,
        data_len: data_len as u32,
        lun: Lun::ZERO,
        itt: Itt(3),
        ttt,
        cmd_sn: rig.next_cmd_sn(),
        exp_stat_sn: rig.stat_sn,
    })
}

#[test]
fn section_11_10_text_is_collected_over_pdus_and_answered_over_pdus() {
    let mut rig = Rig::new();
    let first = text(&mut rig, Ttt::NONE, 5, true);
    rig.send(first, b"SendT");
    let TargetPdu::TextResponse(go_on) = rig.one() else { panic!("an empty response") };
    assert_eq!((go_on.is_final, go_on.data_len), (false, 0));
    let second = text(&mut rig, go_on.ttt, 12, false);
    rig.send(second, b"argets=All\0\0");
    let [Event::Text { id, ref text, is_final: true }] = rig.events()[..] else { panic!("text") };
    assert_eq!(text, b"SendTargets=All\0\0");
    rig.session.text_reply(id, vec![b'x'; 700]);
    let TargetPdu::TextResponse(part) = rig.one() else { panic!("the first part") };
    assert_eq!((part.is_final, part.is_continued, part.data_len), (false, true, 512));
    let fetch = super::stories::text(&mut rig, part.ttt, 0, false);
    rig.send(fetch, &[]);
    let TargetPdu::TextResponse(rest) = rig.one() else { panic!("the rest") };
    assert_eq!((rest.is_final, rest.is_continued, rest.data_len), (true, false, 188));
    assert_eq!(rest.ttt, Ttt::NONE);
    let again = super::stories::text(&mut rig, part.ttt, 0, false);
    rig.send(again, &[]);
    assert_eq!(rig.reason(), RejectReason::InvalidPduField);
}

#[test]
fn section_4_3_a_discovery_session_knows_text_and_logout_only() {
    let session_type = crate::iscsi::negotiate::SessionType::Discovery;
    let mut rig = Rig::with(&SessionParams { session_type, ..params() });
    let (read, ping) = (rig.read(1, 512), rig.nop(2, 0, false));
    let tmf = InitiatorPdu::TaskManagement(rig.tmf(TaskFunction::LogicalUnitReset, 0));
    for pdu in [read, ping, tmf] {
        rig.send(pdu, &[]);
        assert_eq!(rig.reason(), RejectReason::ProtocolError);
    }
    let question = text(&mut rig, Ttt::NONE, 0, false);
    rig.send(question, &[]);
    assert!(matches!(rig.events()[..], [Event::Text { .. }]));
}

#[test]
fn endless_text_is_cut_off() {
    let mut rig = Rig::new();
    let mut ttt = Ttt::NONE;
    for _ in 0..TEXT_LEN_MAX / 1024 {
        let part = text(&mut rig, ttt, 1024, true);
        rig.send(part, &[b'x'; 1024]);
        let TargetPdu::TextResponse(pdu) = rig.one() else { panic!("go on") };
        ttt = pdu.ttt;
    }
    let part = text(&mut rig, ttt, 1024, true);
    rig.send(part, &[b'x'; 1024]);
    assert_eq!(rig.reason(), RejectReason::ProtocolError);
}

fn logout(rig: &mut Rig, reason: LogoutReason, cid: u16) -> InitiatorPdu {
    let (cmd_sn, exp_stat_sn) = (rig.cmd_sn, rig.stat_sn);
    let itt = Itt(77);
    InitiatorPdu::Logout(LogoutRequest { immediate: true, reason, itt, cid, cmd_sn, exp_stat_sn })
}

#[test]
fn section_11_14_a_logout_waits_for_the_tasks_and_is_the_last_word() {
    for reason in [LogoutReason::CloseSession, LogoutReason::CloseConnection] {
        let mut rig = Rig::new();
        let (read, write) = (rig.read(1, 512), rig.write(2, 2048, 0, true));
        rig.send(read, &[]);
        let command = rig.executes();
        rig.send(write, &[]);
        let request = logout(&mut rig, reason, 7);
        rig.send(request, &[]);
        let events = rig.events();
        assert_eq!(events[..2], [Event::Logout { reason }, Event::Abort { task: command.task }]);
        assert!(matches!(events[2], Event::Dropped { .. }));
        assert_eq!(rig.out(), []);
        let late = rig.read(3, 512);
        rig.send(late, &[]);
        rig.good(command);
        assert!(
            matches!(rig.one(), TargetPdu::LogoutResponse(pdu) if pdu.result == LogoutResult::Closed)
        );
        assert_eq!(rig.events(), [Event::Dropped { task: command.task }, Event::Close]);
        assert_eq!(rig.session.live_tasks(), 0);
    }
}

#[test]
fn section_11_15_other_logouts_are_answered_and_change_nothing() {
    let mut rig = Rig::new();
    for (reason, cid, expected) in [
        (LogoutReason::CloseConnection, 8, LogoutResult::CidNotFound),
        (LogoutReason::RemoveForRecovery, 7, LogoutResult::RecoveryNotSupported),
    ] {
        let request = logout(&mut rig, reason, cid);
        rig.send(request, &[]);
        assert!(matches!(rig.one(), TargetPdu::LogoutResponse(pdu) if pdu.result == expected));
        assert_eq!(rig.events(), []);
    }
}

#[test]
fn section_11_9_asynchronous_messages_take_a_stat_sn_and_a_drop_is_the_last() {
    let mut rig = Rig::new();
    rig.session.send_async(AsyncEvent::Scsi, LUN, &[0x70, 0, 6]);
    rig.session.send_async(AsyncEvent::LogoutRequested { within: 3 }, Lun::ZERO, &[]);
    let dropped = AsyncEvent::ConnectionDropped { cid: 7, time2wait: 1, time2retain: 0 };
    rig.session.send_async(dropped, Lun::ZERO, &[]);
    rig.session.send_async(AsyncEvent::LogoutRequested { within: 3 }, Lun::ZERO, &[]);
    let out = rig.out();
    assert_eq!(out.len(), 3);
    assert_eq!(out[0].data, TransmitData::Bytes(vec![0, 3, 0x70, 0, 6]));
    for (n, out) in out.iter().enumerate() {
        let TargetPdu::Async(pdu) = out.pdu else { panic!("an asynchronous message") };
        assert_eq!(pdu.stat_sn, START.stat_sn.plus(n as u32));
    }
    assert_eq!(rig.events(), [Event::Close]);
}

#[test]
fn section_11_17_what_no_target_serves_is_rejected_with_its_header() {
    let mut rig = Rig::new();
    let mut unknown = rig.read(1, 0).encode();
    unknown[0] = 0x1d;
    rig.feed(unknown, &[]).unwrap();
    let out = rig.out();
    assert!(
        matches!(out[0].pdu, TargetPdu::Reject(pdu) if pdu.reason == RejectReason::CommandNotSupported)
    );
    assert_eq!(out[0].data, TransmitData::Bytes(unknown.to_vec()));
    let (lun, itt, exp_stat_sn) = (LUN, Itt(1), rig.stat_sn);
    let kind = SnackKind::Status;
    let snack = Snack { kind, lun, itt, tag: 0, exp_stat_sn, begin_run: 0, run_len: 0 };
    let snack = InitiatorPdu::Snack(snack).encode();
    if rig.feed(snack, &[]).is_ok() {
        assert_eq!(rig.reason(), RejectReason::SnackReject);
    }
}

#[test]
fn section_11_17_bidirectional_commands_are_refused_and_nobody_waits_behind_them() {
    let mut rig = Rig::new();
    let InitiatorPdu::ScsiCommand(read) = rig.read(1, 512) else { panic!("a command") };
    rig.send(InitiatorPdu::ScsiCommand(ScsiCommand { write: true, ..read }), &[]);
    assert_eq!(rig.reason(), RejectReason::CommandNotSupported);
    let next = rig.read(2, 512);
    rig.send(next, &[]);
    rig.executes();
}

#[test]
fn a_peer_that_sends_and_does_not_read_is_stopped_and_then_cut_off() {
    let mut rig = Rig::new();
    let mut garbage = rig.read(1, 0).encode();
    garbage[0] = 0x1d;
    let mut sent = 0;
    while rig.feed(garbage, &[]).is_ok() {
        sent += 1;
        assert_eq!(rig.session.wants_receive(), sent < CONTROL_MAX);
    }
    assert_eq!(sent, CONTROL_MAX + REJECTS_MAX);
    assert_eq!(rig.feed(garbage, &[]), Err(ProtocolError::Flooded));
}

#[test]
fn a_segment_longer_than_declared_ends_the_connection() {
    let mut rig = Rig::new();
    let write = rig.write(1, 4096, 1025, true).encode();
    let expected = ProtocolError::SegmentTooLong { len: 1025, max: 1024 };
    assert_eq!(rig.feed(write, &[]), Err(expected));
}

#[test]
fn statuses_are_held_back_while_data_flow() {
    let mut rig = Rig::new();
    rig.session.hold_status(true);
    for n in 0..2 {
        let read = rig.read(n, 1024);
        rig.send(read, &[]);
        let command = rig.executes();
        rig.good(command);
    }
    assert_eq!(rig.out().len(), 2);
    rig.session.hold_status(false);
    let out = rig.out();
    assert_eq!((out.len(), out.iter().filter(|out| out.ends.is_some()).count()), (2, 2));
}

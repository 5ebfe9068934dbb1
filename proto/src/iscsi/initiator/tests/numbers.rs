//! CmdSN, StatSN, tags and the window (RFC points 1, 2, 3 and 7).

use super::*;

#[test]
fn rfc_point_01_cmd_sn_is_taken_at_send_and_cancelling_leaves_no_hole() {
    let mut lab = lab();
    let (a, b, c) = (lab.read(512), lab.read(512), lab.read(512));
    assert!(lab.session.cancel(b));
    let aborted = Outcome::Aborted { cause: AbortCause::Caller, sent: Sent::Never };
    assert_eq!(lab.outcome(b), aborted);
    let first = lab.next_command();
    let second = lab.next_command();
    assert_eq!((first.itt, first.cmd_sn), (a.itt(), Serial(100)));
    assert_eq!((second.itt, second.cmd_sn), (c.itt(), Serial(101)));
    assert_eq!(lab.next(), None);
}

#[test]
fn rfc_point_01_immediate_delivery_shows_the_next_number_and_does_not_take_it() {
    let mut lab = lab();
    lab.session.ping();
    let nop = lab.next_nop();
    assert!(nop.immediate);
    assert_eq!(nop.cmd_sn, Serial(100));
    lab.read(512);
    assert_eq!(lab.next_command().cmd_sn, Serial(100));
}

#[test]
fn rfc_point_01_a_contradicting_pair_is_ignored() {
    let mut lab = lab_at(&params(), 100, 1);
    let (a, _) = (lab.read(0), lab.read(0));
    lab.next_command();
    (lab.exp_cmd_sn, lab.max_cmd_sn) = (Serial(140), Serial(138));
    lab.hear_good(a);
    assert_eq!(lab.next(), None);
    (lab.exp_cmd_sn, lab.max_cmd_sn) = (Serial(101), Serial(101));
    lab.hear(TargetPdu::NopIn(lab.nop_in(Itt::NONE, Ttt::NONE, 0)), &[]).unwrap();
    assert_eq!(lab.next_command().cmd_sn, Serial(101));
}

#[test]
fn rfc_point_01_numbers_wrap() {
    let mut lab = lab_at(&params(), u32::MAX, 2);
    lab.stat_sn = Serial(700);
    let (a, b, _) = (lab.read(0), lab.read(0), lab.read(0));
    let sent: Vec<_> = lab.sent();
    assert_eq!(sent.len(), 2);
    (lab.exp_cmd_sn, lab.max_cmd_sn) = (Serial(1), Serial(2));
    lab.hear_good(a);
    lab.hear_good(b);
    assert_eq!(lab.next_command().cmd_sn, Serial(1));
}

#[test]
fn rfc_point_02_a_closed_window_lets_one_ping_and_one_function_go() {
    let mut lab = lab_at(&params(), 100, 1);
    let (a, _) = (lab.read(0), lab.read(0));
    lab.next_command();
    assert_eq!(lab.next(), None);
    lab.session.ping();
    lab.session.task_management(Tmf::AbortTask(a)).unwrap();
    lab.session.task_management(Tmf::LunReset(LUN)).unwrap();
    let (tmf, nop) = (lab.next_tmf(), lab.next_nop());
    assert!(tmf.immediate && nop.immediate);
    assert_eq!((tmf.cmd_sn, nop.cmd_sn), (Serial(101), Serial(101)));
    assert_eq!(lab.next(), None);
}

#[test]
fn rfc_point_02_windows_of_none_one_and_many() {
    for depth in [0, 1, 3, 16] {
        let mut lab = lab_at(&params(), 100, depth);
        for _ in 0..16 {
            lab.read(0);
        }
        assert_eq!(lab.sent().len() as u32, depth);
    }
}

#[test]
fn rfc_point_03_every_pdu_acknowledges_what_came_before_it_was_sent() {
    let mut lab = lab();
    let a = lab.read(0);
    assert_eq!(lab.next_command().exp_stat_sn, Serial(700));
    let b = lab.write(32768);
    lab.hear_good(a);
    assert_eq!(lab.next_command().exp_stat_sn, Serial(701));
    assert_eq!(lab.next_data().exp_stat_sn, Serial(701));
    lab.hear_r2t(lab.r2t(b, 0, 16384, 16384)).unwrap();
    lab.session.ping();
    assert_eq!(lab.next_nop().exp_stat_sn, Serial(701));
}

#[test]
fn rfc_point_03_a_gap_and_a_repetition_end_the_session() {
    for (found, expected) in [(702, 701), (700, 701)] {
        let mut lab = lab();
        let (a, b) = (lab.read(0), lab.read(0));
        lab.sent();
        lab.hear_good(a);
        lab.stat_sn = Serial(found);
        let pdu = lab.response(b, Status::Good);
        let error = ProtocolError::StatSn { expected: Serial(expected), found: Serial(found) };
        assert_eq!(lab.hear_response(pdu, &[]), Err(error));
        lab.outcome(a);
        assert_eq!(lab.events(), [Event::Failed(Failure::Protocol(error))]);
        let left: Vec<_> = lab.session.into_unfinished().map(|left| left.task).collect();
        assert_eq!(left, [b]);
    }
}

#[test]
fn rfc_point_03_stat_sn_counts_in_data_in_only_with_a_status() {
    let mut lab = lab();
    let (a, b) = (lab.read(8192), lab.write(65536));
    lab.sent();
    let pdu = DataIn { stat_sn: Serial(5), ..lab.data_in(a, 0, 0, 4096) };
    lab.hear_data_in(pdu).unwrap();
    lab.hear_r2t(R2t { stat_sn: Serial(9), ..lab.r2t(b, 0, 16384, 4096) }).unwrap();
    let nop = NopIn { stat_sn: Serial(11), ..lab.nop_in(Itt::NONE, Ttt::NONE, 0) };
    lab.hear(TargetPdu::NopIn(nop), &[]).unwrap();
    let pdu = lab.last_data_in(a, 1, 4096, 4096);
    lab.hear_data_in(pdu).unwrap();
    assert_eq!(lab.outcome(a), good(8192));
    lab.session.ping();
    assert_eq!(lab.next_nop().exp_stat_sn, Serial(701));
}

#[test]
fn rfc_point_07_a_slot_comes_back_under_another_tag() {
    let mut lab = lab();
    let a = lab.read(0);
    lab.sent();
    lab.hear_good(a);
    let b = lab.read(0);
    lab.sent();
    assert_eq!(a.slot(), b.slot());
    assert_ne!(a.itt(), b.itt());
    let pdu = lab.response(a, Status::Good);
    assert_eq!(lab.hear_response(pdu, &[]), Err(ProtocolError::TaskTag(a.itt())));
}

#[test]
fn rfc_point_07_a_task_that_was_not_sent_has_no_answer() {
    let mut lab = lab_at(&params(), 100, 0);
    let a = lab.read(0);
    let pdu = lab.response(a, Status::Good);
    assert_eq!(lab.hear_response(pdu, &[]), Err(ProtocolError::NotSent(a.itt())));
    let left: Vec<_> = lab.session.into_unfinished().collect();
    assert_eq!((left[0].task, left[0].sent), (a, Sent::Never));
}

#[test]
fn rfc_point_22_luns_have_eight_bytes() {
    let mut lab = lab();
    lab.submit(Command { lun: Lun::flat(300), ..command(Direction::None, 0) });
    let sent = lab.session.poll_transmit(0).unwrap();
    assert_eq!(sent.bhs[8..16], [0x41, 0x2c, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_full_table_takes_nothing() {
    let mut lab = lab();
    for _ in 0..16 {
        lab.read(0);
    }
    let refused = lab.session.submit(command(Direction::None, 0), 0);
    assert_eq!(refused, Err(SubmitError::Full));
}

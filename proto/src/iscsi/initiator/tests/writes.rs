//! Immediate, unsolicited and solicited data (RFC points 4, 6 and 14).

use super::*;

#[test]
fn rfc_point_14_a_small_write_is_one_pdu() {
    let mut lab = lab();
    let a = lab.write(4096);
    let sent = lab.sent();
    let [(InitiatorPdu::ScsiCommand(pdu), data)] = &sent[..] else { panic!("{sent:?}") };
    assert!(pdu.is_final && pdu.write && !pdu.read);
    assert_eq!((pdu.data_len, pdu.edtl), (4096, 4096));
    assert_eq!(*data, TransmitData::Task { task: a, offset: 0, len: 4096 });
    lab.hear_good(a);
    assert_eq!(lab.outcome(a), good(4096));
}

#[test]
fn rfc_point_14_immediate_and_unsolicited_data_end_at_the_first_burst() {
    let mut lab = lab_with(|params| params.max_send_data_segment_len = 5000);
    lab.write(65536);
    let command = lab.next_command();
    assert_eq!((command.is_final, command.data_len), (false, 5000));
    let run: Vec<_> = (0..3).map(|_| lab.next_data()).collect();
    let shape: Vec<_> = run.iter().map(|d| (d.data_sn, d.offset, d.data_len, d.is_final)).collect();
    let expected = [(0, 5000, 5000, false), (1, 10000, 5000, false), (2, 15000, 1384, true)];
    assert_eq!(shape, expected);
    assert!(run.iter().all(|data| data.ttt == Ttt::NONE));
    assert_eq!(lab.next(), None);
}

#[test]
fn rfc_point_14_what_the_keys_allow() {
    // ImmediateData, InitialR2T, length -> immediate bytes, F, bytes of the unsolicited run
    for (immediate_data, initial_r2t, len, expected) in [
        (true, true, 65536, (8192, true, 0)),
        (true, false, 8192, (8192, true, 0)),
        (true, false, 65536, (8192, false, 8192)),
        (false, false, 65536, (0, false, 16384)),
        (false, false, 512, (0, false, 512)),
        (false, true, 65536, (0, true, 0)),
        (true, false, 0, (0, true, 0)),
    ] {
        let mut lab = lab_with(|params| {
            params.immediate_data = immediate_data;
            params.initial_r2t = initial_r2t;
        });
        lab.write(len);
        let command = lab.next_command();
        let run: u32 = lab
            .sent()
            .iter()
            .map(|(pdu, _)| match pdu {
                InitiatorPdu::DataOut(data) => data.data_len,
                other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!((command.data_len, command.is_final, run), expected);
    }
}

#[test]
fn rfc_point_14_unsolicited_data_keep_the_order_of_their_commands() {
    let mut lab = lab();
    let (a, b) = (lab.write(16384), lab.write(16384));
    let order: Vec<_> = lab
        .sent()
        .iter()
        .filter_map(|(pdu, _)| match pdu {
            InitiatorPdu::DataOut(data) => Some(data.itt),
            _ => None,
        })
        .collect();
    assert_eq!(order, [a.itt(), b.itt()]);
}

#[test]
fn rfc_point_04_data_sn_starts_anew_in_every_sequence() {
    let mut lab = lab();
    let a = lab.write(65536);
    lab.next_command();
    let data = lab.next_data();
    assert_eq!((data.data_sn, data.is_final, data.lun), (0, true, Lun::ZERO));
    lab.hear_r2t(lab.r2t(a, 0, 16384, 24576)).unwrap();
    lab.hear_r2t(lab.r2t(a, 1, 40960, 24576)).unwrap();
    let all: Vec<_> = (0..6).map(|_| lab.next_data()).collect();
    let shape: Vec<_> = all.iter().map(|d| (d.ttt.0, d.data_sn, d.offset, d.is_final)).collect();
    let expected = [
        (0x7000, 0, 16384, false),
        (0x7000, 1, 24576, false),
        (0x7000, 2, 32768, true),
        (0x7001, 0, 40960, false),
        (0x7001, 1, 49152, false),
        (0x7001, 2, 57344, true),
    ];
    assert_eq!(shape, expected);
    assert!(all.iter().all(|data| data.lun == LUN));
    lab.hear_good(a);
    assert_eq!(lab.outcome(a), good(65536));
}

#[test]
fn rfc_point_06_r2ts_wait_for_the_unsolicited_run() {
    let mut lab = lab();
    let a = lab.write(65536);
    lab.next_command();
    lab.hear_r2t(lab.r2t(a, 0, 16384, 8192)).unwrap();
    assert_eq!(lab.next_data().ttt, Ttt::NONE);
    assert_eq!(lab.next_data().ttt, Ttt(0x7000));
}

#[test]
fn rfc_point_06_every_wrong_field_has_its_name() {
    let hear = |change: fn(R2t) -> R2t| {
        let mut lab = lab();
        let a = lab.write(65536);
        lab.sent();
        lab.hear_r2t(change(lab.r2t(a, 0, 16384, 8192))).unwrap_err()
    };
    let error = hear(|pdu| R2t { r2t_sn: 1, ..pdu });
    assert_eq!(error, ProtocolError::R2tSn { expected: 0, found: 1 });
    let error = hear(|pdu| R2t { desired_len: 65537, ..pdu });
    assert_eq!(error, ProtocolError::R2tLength { max: 65536, found: 65537 });
    let error = hear(|pdu| R2t { desired_len: 49153, ..pdu });
    assert_eq!(error, ProtocolError::R2tBeyondTransfer { len: 65536, end: 65537 });
    let error = hear(|pdu| R2t { offset: 8192, ..pdu });
    assert_eq!(error, ProtocolError::R2tOffset { expected: 16384, found: 8192 });
    let error = hear(|pdu| R2t { lun: Lun::flat(4), ..pdu });
    assert_eq!(error, ProtocolError::Lun { expected: LUN, found: Lun::flat(4) });
    assert!(matches!(hear(|pdu| R2t { ttt: Ttt::NONE, ..pdu }), ProtocolError::Malformed(_)));
    assert!(matches!(hear(|pdu| R2t { desired_len: 0, ..pdu }), ProtocolError::Malformed(_)));
}

#[test]
fn rfc_point_06_no_more_r2ts_than_agreed_and_none_for_reads() {
    let mut lab = lab();
    let a = lab.write(65536);
    lab.sent();
    lab.hear_r2t(lab.r2t(a, 0, 16384, 512)).unwrap();
    lab.hear_r2t(lab.r2t(a, 1, 16896, 512)).unwrap();
    let error = lab.hear_r2t(lab.r2t(a, 2, 17408, 512));
    assert_eq!(error, Err(ProtocolError::R2tCount { max: 2 }));
    let mut lab = super::lab();
    let a = lab.read(65536);
    lab.sent();
    let error = lab.hear_r2t(lab.r2t(a, 0, 0, 512));
    assert_eq!(error, Err(ProtocolError::R2tForNoWrite(a.itt())));
}

#[test]
fn data_of_several_tasks_and_new_commands_take_turns() {
    let mut lab = lab();
    let (a, b) = (lab.write(65536), lab.write(65536));
    lab.sent();
    lab.hear_r2t(lab.r2t(a, 0, 16384, 16384)).unwrap();
    lab.hear_r2t(lab.r2t(b, 0, 16384, 16384)).unwrap();
    let (c, d) = (lab.read(0), lab.read(0));
    let order: Vec<_> = lab
        .sent()
        .iter()
        .map(|(pdu, _)| match pdu {
            InitiatorPdu::DataOut(data) => data.itt,
            InitiatorPdu::ScsiCommand(command) => command.itt,
            other => panic!("{other:?}"),
        })
        .collect();
    let order: Vec<_> = order.iter().map(|itt| itt.0 as u16).collect();
    let [a, b, c, d] = [a, b, c, d].map(TaskId::slot);
    assert_eq!(order, [a, c, b, d, a, b]);
}

#[test]
fn a_good_write_that_was_never_asked_for_is_a_lie() {
    let mut lab = lab();
    let a = lab.write(65536);
    lab.sent();
    let pdu = lab.response(a, Status::Good);
    let error = ProtocolError::MissingData { expected: 65536, found: 16384 };
    assert_eq!(lab.hear_response(pdu, &[]), Err(error));
}

#[test]
fn a_status_stops_the_data() {
    let mut lab = lab();
    let a = lab.write(65536);
    lab.sent();
    lab.hear_r2t(lab.r2t(a, 0, 16384, 49152)).unwrap();
    lab.next_data();
    let pdu = lab.response(a, Status::CheckCondition);
    lab.hear_response(pdu, &[]).unwrap();
    assert_eq!(lab.next(), None);
}

//! Data-In, responses, residuals, sense, digests (RFC points 5, 8, 9 and 13).

use super::*;

fn data_in_error(change: impl FnOnce(DataIn) -> DataIn) -> ProtocolError {
    let mut lab = lab();
    let a = lab.read(8192);
    lab.sent();
    lab.hear_data_in(lab.data_in(a, 0, 0, 4096)).unwrap();
    let pdu = change(lab.data_in(a, 1, 4096, 4096));
    lab.hear_data_in(pdu).unwrap_err()
}

#[test]
fn rfc_point_05_data_in_goes_where_it_belongs() {
    let mut lab = lab();
    let a = lab.read(8192);
    lab.sent();
    let there = lab.hear_data_in(lab.data_in(a, 0, 0, 4096));
    assert_eq!(there, Ok(Receive::Task { task: a, offset: 0, len: 4096 }));
    let pdu = lab.last_data_in(a, 1, 4096, 4096);
    let there = lab.hear_data_in(pdu);
    assert_eq!(there, Ok(Receive::Task { task: a, offset: 4096, len: 4096 }));
    assert_eq!(lab.outcome(a), good(8192));
    assert_eq!(lab.session.in_flight(), 0);
}

#[test]
fn rfc_point_05_the_effect_waits_for_the_data() {
    let mut lab = lab();
    let a = lab.read(512);
    lab.sent();
    let pdu = TargetPdu::DataIn(lab.last_data_in(a, 0, 0, 512));
    lab.session.handle_header(&pdu.encode(), 0).unwrap();
    assert_eq!(lab.events(), []);
    lab.session.handle_data(DataOutcome::Arrived, &[], 0).unwrap();
    assert_eq!(lab.outcome(a), good(512));
}

#[test]
fn rfc_point_05_every_wrong_field_has_its_name() {
    let error = data_in_error(|pdu| DataIn { data_sn: 2, ..pdu });
    assert_eq!(error, ProtocolError::DataSn { expected: 1, found: 2 });
    let error = data_in_error(|pdu| DataIn { offset: 0, ..pdu });
    assert_eq!(error, ProtocolError::BufferOffset { expected: 4096, found: 0 });
    let error = data_in_error(|pdu| DataIn { data_len: 4097, ..pdu });
    assert_eq!(error, ProtocolError::DataBeyondTransfer { len: 8192, end: 8193 });
    let error = data_in_error(|pdu| DataIn { data_len: 65537, ..pdu });
    assert_eq!(error, ProtocolError::DataSegmentLength { max: 65536, found: 65537 });
    let error = data_in_error(|pdu| DataIn { ttt: Ttt(1), lun: Lun::flat(9), ..pdu });
    assert_eq!(error, ProtocolError::Lun { expected: LUN, found: Lun::flat(9) });
    let error = data_in_error(|pdu| DataIn { itt: Itt(0x0009_0000), ..pdu });
    assert_eq!(error, ProtocolError::TaskTag(Itt(0x0009_0000)));
    let last = |status| move |pdu| DataIn { is_final: true, status: Some(status), ..pdu };
    let error = data_in_error(last(Status::CheckCondition));
    assert_eq!(error, ProtocolError::StatusInDataIn { found: 2 });
}

#[test]
fn a_read_may_be_one_sequence_above_the_burst_length() {
    let mut lab = lab_with(|params| params.max_burst_len = 4096);
    let a = lab.read(16384);
    lab.sent();
    lab.hear_data_in(lab.data_in(a, 0, 0, 8192)).unwrap();
    let pdu = lab.last_data_in(a, 1, 8192, 8192);
    lab.hear_data_in(pdu).unwrap();
    assert_eq!(lab.outcome(a), good(16384));
}

#[test]
fn rfc_point_05_data_for_a_write_are_refused() {
    let mut lab = lab();
    let a = lab.write(4096);
    lab.sent();
    let error = lab.hear_data_in(lab.data_in(a, 0, 0, 512));
    assert_eq!(error, Err(ProtocolError::DataInForNoRead(a.itt())));
}

#[test]
fn rfc_point_08_a_short_read_reaches_the_caller() {
    let mut lab = lab();
    let a = lab.read(8192);
    lab.sent();
    let pdu = lab.last_data_in(a, 0, 0, 4096);
    lab.hear_data_in(DataIn { residual: Residual::Underflow(4096), ..pdu }).unwrap();
    let short = Outcome::Good { residual: Residual::Underflow(4096), moved: 4096 };
    assert_eq!(lab.outcome(a), short);
}

#[test]
fn rfc_point_08_an_overflow_reaches_the_caller() {
    let mut lab = lab();
    let a = lab.read(4096);
    lab.sent();
    let pdu = lab.last_data_in(a, 0, 0, 4096);
    lab.hear_data_in(DataIn { residual: Residual::Overflow(512), ..pdu }).unwrap();
    let outcome = Outcome::Good { residual: Residual::Overflow(512), moved: 4096 };
    assert_eq!(lab.outcome(a), outcome);
}

#[test]
fn rfc_point_08_residuals_that_cannot_be_true() {
    let judge = |residual, moved| {
        let mut lab = lab();
        let a = lab.read(8192);
        lab.sent();
        lab.hear_data_in(lab.data_in(a, 0, 0, moved)).unwrap();
        let pdu = lab.response(a, Status::Good);
        lab.hear_response(ScsiResponse { residual, ..pdu }, &[]).unwrap_err()
    };
    let missing = ProtocolError::MissingData { expected: 8192, found: 4096 };
    assert_eq!(judge(Residual::None, 4096), missing);
    let wrong = ProtocolError::Residual { expected: 8000, found: 4096 };
    assert_eq!(judge(Residual::Underflow(192), 4096), wrong);
    let wrong = ProtocolError::Residual { expected: 192, found: 4096 };
    assert_eq!(judge(Residual::Underflow(8000), 4096), wrong);
    let beyond = ProtocolError::ResidualBeyondTransfer { len: 8192, found: 8193 };
    assert_eq!(judge(Residual::Underflow(8193), 4096), beyond);
}

#[test]
fn rfc_point_08_underflow_with_check_condition() {
    let mut lab = lab();
    let a = lab.read(8192);
    lab.sent();
    let pdu = lab.response(a, Status::CheckCondition);
    let residual = Residual::Underflow(8192);
    lab.hear_response(ScsiResponse { residual, ..pdu }, &[0, 2, 0x70, 0]).unwrap();
    let Outcome::Status { status, residual: told, moved, sense } = lab.outcome(a) else { panic!() };
    assert_eq!((status, told, moved), (Status::CheckCondition, residual, 0));
    assert_eq!(sense.unwrap().as_slice(), [0x70, 0]);
}

#[test]
fn rfc_point_08_a_target_failure_has_no_status() {
    let mut lab = lab();
    let a = lab.read(8192);
    lab.sent();
    let pdu = lab.response(a, Status::Good);
    let response = ServiceResponse::TargetFailure;
    lab.hear_response(ScsiResponse { response, ..pdu }, &[]).unwrap();
    assert_eq!(lab.outcome(a), Outcome::TargetFailure(response));
}

#[test]
fn rfc_point_09_sense_has_a_length_before_it() {
    let hear = |data: &[u8]| {
        let mut lab = lab();
        let a = lab.read(0);
        lab.sent();
        let pdu = lab.response(a, Status::CheckCondition);
        lab.hear_response(pdu, data)?;
        match lab.outcome(a) {
            Outcome::Status { sense, .. } => Ok(sense.map(|sense| sense.as_slice().to_vec())),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(hear(&[]), Ok(None));
    assert_eq!(hear(&[0, 0]), Ok(None));
    assert_eq!(hear(&[0, 3, 0x72, 6, 0x29, 9, 9]), Ok(Some([0x72, 6, 0x29].to_vec())));
    assert_eq!(hear(&[0, 3, 0x72]), Err(ProtocolError::SenseLength { max: 1, found: 3 }));
    assert_eq!(hear(&[0]), Err(ProtocolError::SenseLength { max: 0, found: 1 }));
    let long = [&[1, 4][..], &[7; 260]].concat();
    assert_eq!(hear(&long), Ok(Some([7; SENSE_BYTES_MAX].to_vec())));
}

#[test]
fn exp_data_sn_is_zero_or_true() {
    for (exp_data_sn, result) in
        [(0, Ok(())), (1, Ok(())), (2, Err(ProtocolError::ExpDataSn { expected: 1, found: 2 }))]
    {
        let mut lab = lab();
        let a = lab.read(512);
        lab.sent();
        lab.hear_data_in(lab.data_in(a, 0, 0, 512)).unwrap();
        let pdu = lab.response(a, Status::Good);
        assert_eq!(lab.hear_response(ScsiResponse { exp_data_sn, ..pdu }, &[]), result);
    }
}

#[test]
fn rfc_point_13_a_wrong_data_digest_costs_one_task() {
    let mut lab = lab();
    let (a, b) = (lab.read(8192), lab.read(512));
    lab.sent();
    let pdu = TargetPdu::DataIn(lab.data_in(a, 0, 0, 4096));
    lab.hear_as(pdu, &[], DataOutcome::DigestError).unwrap();
    let tmf = lab.next_tmf();
    assert_eq!((tmf.function, tmf.referenced), (TaskFunction::AbortTask, a.itt()));
    assert_eq!(tmf.ref_cmd_sn, Serial(100));
    assert_eq!(lab.events(), []);
    lab.hear_tmf(tmf.itt, TaskResponse::Complete);
    assert_eq!(lab.outcome(a), Outcome::Retry);
    let pdu = lab.last_data_in(b, 0, 0, 512);
    lab.hear_data_in(pdu).unwrap();
    assert_eq!(lab.outcome(b), good(512));
}

#[test]
fn rfc_point_13_a_status_behind_lost_data_is_worth_nothing() {
    let mut lab = lab();
    let (a, b) = (lab.read(8192), lab.read(512));
    lab.sent();
    let pdu = TargetPdu::DataIn(lab.data_in(a, 0, 0, 4096));
    lab.hear_as(pdu, &[], DataOutcome::DigestError).unwrap();
    let pdu = lab.last_data_in(a, 1, 4096, 4096);
    lab.hear_data_in(pdu).unwrap();
    assert_eq!(lab.outcome(a), Outcome::Retry);
    assert_eq!(lab.next(), None, "what ended needs no function");
    let pdu = TargetPdu::DataIn(lab.last_data_in(b, 0, 0, 512));
    lab.hear_as(pdu, &[], DataOutcome::DigestError).unwrap();
    assert_eq!(lab.outcome(b), Outcome::Retry);
}

#[test]
fn rfc_point_13_other_lost_pdus_end_the_session() {
    let mut lab = lab();
    let a = lab.read(512);
    lab.sent();
    let pdu = lab.response(a, Status::CheckCondition);
    let pdu = TargetPdu::ScsiResponse(ScsiResponse { data_len: 20, ..pdu });
    lab.hear_as(pdu, &[0; 20], DataOutcome::DigestError).unwrap();
    assert_eq!(lab.event(), Event::Failed(Failure::DataDigest));
    let mut lab = super::lab();
    lab.session.fail(Failure::HeaderDigest);
    assert_eq!(lab.events(), [Event::Failed(Failure::HeaderDigest)]);
}

//! Two sides that talk, and peers that break the rules.

use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::iscsi::text::{Collector, IscsiName, Pair, TextOut};

fn name(text: &str) -> IscsiName {
    IscsiName::new(text).unwrap()
}

fn offer() -> Offer {
    Offer::normal(name("iqn.2026-01.org.example:host"), name("iqn.2026-01.org.example:disk"))
}

fn limits() -> Limits {
    Limits {
        target_alias: Some("a disk".into()),
        target_portal_group_tag: 7,
        operational: Operational::default(),
    }
}

/// What arrives at the other end.
fn arrive(mut out: TextOut) -> Vec<Pair> {
    let part = out.next_part(usize::MAX);
    Collector::for_negotiation().take(part.bytes, false).unwrap().unwrap()
}

fn pairs(text: &str) -> Vec<Pair> {
    let one = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap();
        Pair { key: key.to_string(), value: value.to_string() }
    };
    text.split_whitespace().map(one).collect()
}

/// What `side` answers to a text, as one line.
fn answer(side: &mut Negotiation, text: &str) -> Result<String, NegotiationError> {
    let mut out = TextOut::new();
    side.handle(&pairs(text), &mut out)?;
    let lines: Vec<_> = arrive(out).into_iter().map(|p| p.key + "=" + &p.value).collect();
    Ok(lines.join(" "))
}

/// A whole login; the initiator may say nothing in the operational stage.
fn login(
    initiator: &mut Negotiation,
    target: &mut Negotiation,
    proposes: bool,
) -> Result<(SessionParams, SessionParams), NegotiationError> {
    let mut out = TextOut::new();
    initiator.identify(&mut out);
    if proposes {
        initiator.propose(&mut out);
    }
    let mut back = TextOut::new();
    target.handle(&arrive(out), &mut back)?;
    target.identify(&mut back);
    target.propose(&mut back);
    let mut out = TextOut::new();
    initiator.handle(&arrive(back), &mut out)?;
    let mut nothing = TextOut::new();
    target.handle(&arrive(out), &mut nothing)?;
    assert!(nothing.is_empty() && initiator.is_settled() && target.is_settled());
    Ok((initiator.finish()?, target.finish()?))
}

#[test]
fn both_get_what_both_want() {
    let (mut initiator, mut target) =
        (Negotiation::initiator(offer()), Negotiation::target(limits()));
    let (params, mirror) = login(&mut initiator, &mut target, true).unwrap();
    assert_eq!(params, mirror);
    assert!(!params.initial_r2t && params.immediate_data);
    assert_eq!(params.first_burst_len, 1 << 20);
    assert_eq!(params.task_reporting, TaskReporting::FastAbort);
    assert_eq!(params.target_alias.as_deref(), Some("a disk"));
    assert_eq!(params.target_portal_group_tag, Some(7));
    assert_eq!(initiator.refused(), []);
}

#[test]
fn a_modest_target_is_shown_key_by_key() {
    let mut initiator = Negotiation::initiator(offer());
    initiator.propose(&mut TextOut::new());
    let text = "HeaderDigest=None DataDigest=None InitialR2T=Yes ImmediateData=Yes MaxBurstLength=262144 \
         FirstBurstLength=65536 MaxOutstandingR2T=1 MaxConnections=1 DefaultTime2Wait=2 \
         DefaultTime2Retain=0 ErrorRecoveryLevel=0 TaskReporting=NotUnderstood \
         iSCSIProtocolLevel=1 DataPDUInOrder=Yes DataSequenceInOrder=Yes";
    assert_eq!(answer(&mut initiator, text).unwrap(), "");
    let params = initiator.finish().unwrap();
    assert_eq!((params.max_burst_len, params.default_time2wait), (262_144, 2));
    assert_eq!(params.max_send_data_segment_len, 8192);
    let refused: Vec<_> =
        initiator.refused().iter().map(|r| (r.key, r.wanted.as_str(), r.got.as_str())).collect();
    assert!(refused.contains(&(Key::InitialR2t, "No", "Yes")));
    assert!(refused.contains(&(Key::FirstBurstLength, "1048576", "65536")));
    assert!(refused.contains(&(Key::TaskReporting, "FastAbort", "NotUnderstood")));
    assert_eq!(refused.len(), 6);
}

#[test]
fn a_target_answers_in_the_words_of_the_rfc() {
    let mut target = Negotiation::target(limits());
    let text = "DataDigest=CRC64,CRC32C,None X-org.example.flux=9 AuthMethod=None MaxBurstLength=0x8000 \
        X-a=NotUnderstood HeaderDigest=CRC64 DefaultTime2Wait=5 TaskReporting=RFC3720";
    assert_eq!(
        answer(&mut target, text).unwrap(),
        "DataDigest=CRC32C X-org.example.flux=NotUnderstood MaxBurstLength=32768 \
         HeaderDigest=Reject DefaultTime2Wait=5 TaskReporting=RFC3720"
    );
}

#[test]
fn in_discovery_most_keys_are_irrelevant() {
    let mut target = Negotiation::target(limits());
    let text = "InitialR2T=No InitiatorName=iqn.2026-01.a:b DataDigest=None SessionType=Discovery";
    assert_eq!(answer(&mut target, text).unwrap(), "InitialR2T=Irrelevant DataDigest=None");
    let params = target.finish().unwrap();
    assert_eq!((params.session_type, params.initial_r2t), (SessionType::Discovery, true));
}

#[test]
fn rule_breakers_are_told_which_key() {
    let illegal = |key, value: &str| NegotiationError::IllegalValue { key, value: value.into() };
    for (text, error) in [
        ("MaxBurstLength=511", illegal(Key::MaxBurstLength, "511")),
        ("InitialR2T=yes", illegal(Key::InitialR2t, "yes")),
        ("ErrorRecoveryLevel=3", illegal(Key::ErrorRecoveryLevel, "3")),
        ("MaxBurstLength=Reject", illegal(Key::MaxBurstLength, "Reject")),
        ("SessionType=Odd", illegal(Key::SessionType, "Odd")),
        ("InitiatorName=disk", illegal(Key::InitiatorName, "disk")),
        ("TargetAlias=a", NegotiationError::WrongSender(Key::TargetAlias)),
        ("SendTargets=All", NegotiationError::WrongPhase(Key::SendTargets)),
        ("MaxConnections=1 MaxConnections=1", NegotiationError::Renegotiated(Key::MaxConnections)),
    ] {
        assert_eq!(answer(&mut Negotiation::target(limits()), text), Err(error), "{text}");
    }
}

#[test]
fn an_answer_stays_within_the_offer() {
    for text in [
        "MaxBurstLength=16777216",
        "MaxOutstandingR2T=17",
        "DataPDUInOrder=No",
        "TaskReporting=FastAbort",
        "DataDigest=None",
        "MaxRecvDataSegmentLength=Reject",
    ] {
        let mut offer = offer();
        offer.operational.data_digest = DigestPolicy::Require;
        offer.operational.task_reporting = TaskReporting::ResponseFence;
        let mut initiator = Negotiation::initiator(offer);
        initiator.propose(&mut TextOut::new());
        let error = answer(&mut initiator, text).unwrap_err();
        assert!(matches!(error, NegotiationError::IllegalValue { .. }), "{text}");
    }
}

#[test]
fn a_required_digest_is_not_done_without() {
    let mut limits = limits();
    limits.operational.header_digest = DigestPolicy::Never;
    let mut offer = offer();
    offer.operational.header_digest = DigestPolicy::Require;
    let (mut initiator, mut target) = (Negotiation::initiator(offer), Negotiation::target(limits));
    let error = login(&mut initiator, &mut target, true).unwrap_err();
    assert_eq!(error, NegotiationError::Required(Key::HeaderDigest));
}

#[test]
fn names_have_to_be_there() {
    let mut target = Negotiation::target(limits());
    assert_eq!(target.finish(), Err(NegotiationError::Missing(Key::InitiatorName)));
    answer(&mut target, "InitiatorName=iqn.2026-01.a:b").unwrap();
    assert_eq!(target.finish(), Err(NegotiationError::Missing(Key::TargetName)));
}

#[test]
fn an_answer_that_cannot_matter_may_be_left_out() {
    let mut offer = offer();
    offer.operational.immediate_data = false;
    let mut initiator = Negotiation::initiator(offer);
    initiator.propose(&mut TextOut::new());
    let open: Vec<_> = initiator.unanswered().collect();
    assert!(!open.contains(&Key::ImmediateData) && !open.contains(&Key::DataPduInOrder));
    assert!(open.contains(&Key::InitialR2t));
    let params = initiator.finish().unwrap();
    assert!(!params.immediate_data && params.initial_r2t);
    let silent = |r: &Refusal| r.key == Key::InitialR2t && r.got.is_empty();
    assert!(initiator.refused().iter().any(silent));
}

#[test]
fn unknown_keys_have_a_limit() {
    let many: String = (0..300).map(|i| std::format!("X-{i}=1 ")).collect();
    let error = answer(&mut Negotiation::target(limits()), &many);
    assert_eq!(error, Err(NegotiationError::TooManyKeys));
}

#[test]
fn markers_are_a_thing_of_the_past() {
    let text = "OFMarker=Yes IFMarker=No OFMarkInt=2048~8192";
    let answers = answer(&mut Negotiation::target(limits()), text);
    assert_eq!(answers.unwrap(), "OFMarker=No IFMarker=No OFMarkInt=Reject");
}

#[test]
fn a_running_session_learns_of_longer_segments() {
    let mut params = SessionParams::default();
    let mut out = TextOut::new();
    let text = pairs("MaxRecvDataSegmentLength=65536 InitiatorAlias=host SendTargets= X-a=1");
    redeclare(&mut params, Sender::Target, &text, &mut out).unwrap();
    assert_eq!(params.max_send_data_segment_len, 65536);
    assert_eq!(params.initiator_alias.as_deref(), Some("host"));
    assert_eq!(arrive(out), pairs("X-a=NotUnderstood"));
    let late =
        redeclare(&mut params, Sender::Target, &pairs("MaxBurstLength=512"), &mut TextOut::new());
    assert_eq!(late, Err(NegotiationError::WrongPhase(Key::MaxBurstLength)));
    let forged =
        redeclare(&mut params, Sender::Target, &pairs("TargetAlias=a"), &mut TextOut::new());
    assert_eq!(forged, Err(NegotiationError::WrongSender(Key::TargetAlias)));
}

fn digest() -> impl Strategy<Value = DigestPolicy> {
    let all =
        [DigestPolicy::Never, DigestPolicy::Allow, DigestPolicy::Prefer, DigestPolicy::Require];
    proptest::sample::select(all.to_vec())
}

fn operational() -> impl Strategy<Value = Operational> {
    let ways = [TaskReporting::Rfc3720, TaskReporting::ResponseFence, TaskReporting::FastAbort];
    let lengths = (0u32..1 << 25, 0u32..1 << 25, 0u32..1 << 25);
    let counts = (any::<u16>(), any::<u16>(), 0u16..5000, 0u16..5000, 0u8..4, 0u8..40);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let lists = (digest(), digest(), proptest::sample::select(ways.to_vec()));
    (lengths, counts, flags, lists).prop_map(|(lengths, counts, flags, lists)| Operational {
        header_digest: lists.0,
        data_digest: lists.1,
        task_reporting: lists.2,
        max_recv_data_segment_len: lengths.0,
        max_burst_len: lengths.1,
        first_burst_len: lengths.2,
        max_connections: counts.0,
        max_outstanding_r2t: counts.1,
        default_time2wait: counts.2,
        default_time2retain: counts.3,
        error_recovery_level: counts.4,
        protocol_level: counts.5,
        initial_r2t: flags.0,
        immediate_data: flags.1,
        data_pdu_in_order: flags.2,
        data_sequence_in_order: flags.3,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn both_sides_end_with_the_same(
        wishes in operational(),
        takes in operational(),
        proposes: bool,
        is_discovery: bool,
    ) {
        let mut offer = offer();
        if is_discovery {
            offer = Offer::discovery(offer.initiator_name);
        }
        offer.operational = wishes;
        let limits = Limits { operational: takes, ..limits() };
        let mut initiator = Negotiation::initiator(offer);
        let mut target = Negotiation::target(limits);
        match login(&mut initiator, &mut target, proposes) {
            Err(NegotiationError::Required(_)) => {}
            Err(error) => prop_assert!(false, "{}", error),
            Ok((mut params, mut mirror)) => {
                prop_assert_eq!(params.max_recv_data_segment_len, mirror.max_send_data_segment_len);
                prop_assert_eq!(params.max_send_data_segment_len, mirror.max_recv_data_segment_len);
                prop_assert!(params.first_burst_len <= params.max_burst_len);
                (params.max_recv_data_segment_len, params.max_send_data_segment_len) = (0, 0);
                (mirror.max_recv_data_segment_len, mirror.max_send_data_segment_len) = (0, 0);
                if is_discovery {
                    (mirror.target_alias, mirror.target_portal_group_tag) = (None, None);
                }
                prop_assert_eq!(params, mirror);
            }
        }
    }

    #[test]
    fn any_pairs_are_taken_or_refused(
        pairs in proptest::collection::vec((0usize..24, "[A-Za-z0-9,.]{0,12}"), 0..30),
    ) {
        let pair = |(key, value): (usize, String)| Pair { key: Key::ALL[key].name().into(), value };
        let pairs: Vec<_> = pairs.into_iter().map(pair).collect();
        for mut side in [Negotiation::initiator(offer()), Negotiation::target(limits())] {
            let _ = side.handle(&pairs, &mut TextOut::new());
            let _ = side.finish();
        }
    }
}

//! Operational keys: a peer that says anything, and two sides that want anything.

use alloc::vec::Vec;

use super::Input;
use crate::iscsi::negotiate::{
    DigestPolicy, Limits, Negotiation, Offer, Operational, Sender, SessionParams, TaskReporting,
    redeclare,
};
use crate::iscsi::text::{IscsiName, TextOut, parse_pairs};

const SEGMENT_LEN_MAX: u32 = 0x00ff_ffff;

/// What two sides with any wishes agree on is the same on both, and what a hostile peer leads to is
/// in the ranges of the RFC.
pub fn negotiate(data: &[u8]) {
    let mut input = Input::new(data);
    let (ours, theirs) = (wishes(&mut input), wishes(&mut input));
    let is_discovery = input.flag();
    agree(is_discovery, ours, theirs);
    let keys = input.all();
    hear(initiator(is_discovery, ours), keys, Sender::Initiator);
    hear(target(ours), keys, Sender::Target);
}

pub(super) fn name(text: &str) -> IscsiName {
    IscsiName::new(text).expect("the name is legal")
}

pub(super) fn wishes(input: &mut Input<'_>) -> Operational {
    let flags = input.byte();
    let digest = |number| match number & 3 {
        0 => DigestPolicy::Never,
        1 => DigestPolicy::Allow,
        2 => DigestPolicy::Prefer,
        _ => DigestPolicy::Require,
    };
    let more = input.byte();
    Operational {
        header_digest: digest(flags),
        data_digest: digest(flags >> 2),
        initial_r2t: flags & 16 != 0,
        immediate_data: flags & 32 != 0,
        data_pdu_in_order: flags & 64 != 0,
        data_sequence_in_order: flags & 128 != 0,
        error_recovery_level: more & 3,
        task_reporting: match more >> 2 & 3 {
            0 => TaskReporting::Rfc3720,
            1 => TaskReporting::ResponseFence,
            _ => TaskReporting::FastAbort,
        },
        protocol_level: more >> 4,
        max_connections: input.u16(),
        max_outstanding_r2t: input.u16(),
        default_time2wait: input.u16(),
        default_time2retain: input.u16(),
        max_recv_data_segment_len: input.u32(),
        max_burst_len: input.u32(),
        first_burst_len: input.u32(),
    }
}

fn initiator(is_discovery: bool, operational: Operational) -> Negotiation {
    let host = name("iqn.2026-11.net.byway:host");
    let offer = match is_discovery {
        true => Offer::discovery(host),
        false => Offer::normal(host, name("iqn.2026-11.net.byway:disk")),
    };
    Negotiation::initiator(Offer { operational, ..offer })
}

fn target(operational: Operational) -> Negotiation {
    let limits = Limits { target_alias: None, target_portal_group_tag: 1, operational };
    Negotiation::target(limits)
}

/// Says what `from` has to say, and lets `to` hear it.
fn tell(text: &mut TextOut, to: &mut Negotiation, answer: &mut TextOut) -> bool {
    let part = text.next_part(usize::MAX);
    let pairs = parse_pairs(part.bytes).expect("our texts are legal");
    to.handle(&pairs, answer).is_ok()
}

fn agree(is_discovery: bool, ours: Operational, theirs: Operational) {
    let (mut i, mut t) = (initiator(is_discovery, ours), target(theirs));
    let (mut request, mut response) = (TextOut::new(), TextOut::new());
    i.identify(&mut request);
    i.propose(&mut request);
    let heard = tell(&mut request, &mut t, &mut response);
    assert!(heard, "our offers are legal");
    t.identify(&mut response);
    t.propose(&mut response);
    let mut request = TextOut::new();
    let mut response_to_last = TextOut::new();
    let heard = tell(&mut response, &mut i, &mut request);
    let heard = heard && tell(&mut request, &mut t, &mut response_to_last);
    if !heard {
        // Digests that one side requires and the other does not have.
        return;
    }
    let (Ok(ours), Ok(theirs)) = (i.finish(), t.finish()) else { return };
    check(&ours);
    check(&theirs);
    assert_eq!(ours.max_recv_data_segment_len, theirs.max_send_data_segment_len);
    assert_eq!(ours.max_send_data_segment_len, theirs.max_recv_data_segment_len);
    // Nobody is told the portal group in a discovery session.
    let both = SessionParams {
        target_portal_group_tag: theirs.target_portal_group_tag,
        max_recv_data_segment_len: theirs.max_recv_data_segment_len,
        max_send_data_segment_len: theirs.max_send_data_segment_len,
        ..ours
    };
    assert_eq!(both, theirs, "both sides end with the same");
}

/// One side hears keys of a fuzzed peer, in texts that a zero byte pair cuts.
fn hear(mut side: Negotiation, keys: &[u8], role: Sender) {
    let mut out = TextOut::new();
    if role == Sender::Initiator {
        side.identify(&mut out);
        side.propose(&mut out);
    }
    let texts: Vec<_> = keys.split(|byte| *byte == b'|').collect();
    for text in texts {
        let Ok(pairs) = parse_pairs(text) else { return };
        if side.handle(&pairs, &mut out).is_err() {
            return;
        }
        side.identify(&mut out);
        side.propose(&mut out);
        let mut params = SessionParams::default();
        let before = params.clone();
        let told = redeclare(&mut params, role, &pairs, &mut TextOut::new());
        assert!(told.is_ok() || params == before, "an error changes nothing");
        check(&params);
    }
    if let Ok(params) = side.finish() {
        check(&params);
    }
}

/// The ranges of RFC 7143 section 13.
pub(super) fn check(params: &SessionParams) {
    let lengths = 512..=SEGMENT_LEN_MAX;
    assert!(lengths.contains(&params.max_recv_data_segment_len));
    assert!(lengths.contains(&params.max_send_data_segment_len));
    assert!(lengths.contains(&params.max_burst_len));
    assert!(lengths.contains(&params.first_burst_len));
    assert!(params.first_burst_len <= params.max_burst_len);
    assert!(params.max_outstanding_r2t >= 1 && params.max_connections >= 1);
    assert!(params.default_time2wait <= 3600 && params.default_time2retain <= 3600);
    assert!(params.error_recovery_level <= 2);
}

//! State × event, printed: what each event does in each state.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::super::initiator::{self, LoginState, Proof};
use super::super::target::{self, TargetLoginState};
use super::super::*;
use super::lab::*;
use crate::iscsi::chap::Algorithm;
use crate::iscsi::pdu::{LoginFlags, LoginRequest, LoginResponse, LoginStatus, Stage};

type Pairs = &'static [(&'static str, &'static str)];
const CHALLENGE: Pairs = &[("CHAP_A", "5"), ("CHAP_I", "1"), ("CHAP_C", "0x1234567890abcdef")];

/// What a peer may say: a name, keys, whether T is set, and for targets a status.
const TOLD: [(&str, Pairs, bool, LoginStatus); 8] = [
    ("nothing", &[], false, LoginStatus::Success),
    ("nothing, T", &[], true, LoginStatus::Success),
    ("None", &[("AuthMethod", "None")], false, LoginStatus::Success),
    ("None, T", &[("AuthMethod", "None")], true, LoginStatus::Success),
    ("CHAP", &[("AuthMethod", "CHAP")], false, LoginStatus::Success),
    ("challenge", CHALLENGE, false, LoginStatus::Success),
    ("moved", &[("TargetAddress", "b")], false, LoginStatus::MovedTemporarily),
    ("refused", &[], false, LoginStatus::NotFound),
];

/// Tells the initiator something that fits its last request.
fn tell(i: &mut initiator::Login, told: &(&str, Pairs, bool, LoginStatus), sn: u32) -> String {
    let Some((bhs, _)) = sent(i.poll_transmit()) else { return "-".into() };
    let request = LoginRequest::decode(&bhs).unwrap();
    let (_, pairs, is_transit, status) = *told;
    let to = match request.flags.current {
        Stage::Security => Stage::Operational,
        _ => Stage::FullFeature,
    };
    let next = is_transit.then_some(to);
    let data = text(pairs);
    let response = LoginResponse {
        flags: LoginFlags { next, ..request.flags },
        version_max: 0,
        version_active: 0,
        data_len: data.len() as u32,
        isid: request.isid,
        tsih: TSIH,
        itt: request.itt,
        stat_sn: crate::serial::Serial(sn),
        exp_cmd_sn: request.cmd_sn,
        max_cmd_sn: request.cmd_sn,
        status,
    };
    let told = i.handle(&response.encode(), &data);
    initiator_word(i, &told)
}

fn initiator_word(i: &initiator::Login, told: &Result<(), LoginError>) -> String {
    match (i.state(), told) {
        (LoginState::Failed, Err(error)) => kind(&format!("{error:?}")),
        (LoginState::Done(_), _) => "Done".into(),
        (LoginState::Redirected(_), _) => "Redirected".into(),
        _ => kind(&i.state_name()),
    }
}

/// The first word of a value as Rust prints it, and what is in its brackets if that is one word.
fn kind(debug: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric();
    let words: Vec<&str> = debug.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
    match words[..] {
        ["Chap", "ChapInitiator" | "ChapTarget", ..] => "Chap".into(),
        ["Chap", second, ..] | ["Mismatch", second, ..] | ["Refused", second, ..] => {
            format!("{}({second})", words[0])
        }
        [first, ..] => first.into(),
        [] => String::new(),
    }
}

fn initiators() -> Vec<(&'static str, initiator::Login)> {
    let new = |proof| initiator::Login::new(config(proof)).unwrap();
    let md5 = [Algorithm::Md5];
    let by = |proof, steps: &[usize]| {
        let mut i = new(proof);
        for (sn, step) in steps.iter().enumerate() {
            tell(&mut i, &TOLD[*step], sn as u32);
        }
        i
    };
    [
        ("Method, none", new(Proof::None)),
        ("Method, one-way", new(proof(false, &md5))),
        ("Method, mutual", new(proof(true, &md5))),
        ("Chap", by(proof(false, &md5), &[4])),
        ("Chap, proof due", by(proof(true, &md5), &[4, 5])),
        ("Leaving", by(Proof::None, &[2])),
        ("Operational", by(Proof::None, &[3])),
        ("Done", by(Proof::None, &[3, 1])),
        ("Failed", by(Proof::None, &[7])),
    ]
    .into()
}

#[test]
fn rfc_point_11_the_initiators_table() {
    let mut table = String::new();
    for (state, i) in initiators() {
        writeln!(table, "{state}").unwrap();
        let sn = i.next_stat_sn();
        for told in &TOLD {
            let word = tell(&mut i.clone(), told, sn);
            writeln!(table, "    {:<12} {word}", told.0).unwrap();
        }
    }
    assert_eq!(table, INITIATOR, "\n{table}");
}

const ASKED: [(&str, Pairs, Option<Stage>); 7] = [
    ("nothing", &[], None),
    ("nothing, T", &[], Some(Stage::Operational)),
    ("names, None", &[("InitiatorName", HOST), ("TargetName", DISK), ("AuthMethod", "None")], None),
    ("names, CHAP", &[("InitiatorName", HOST), ("TargetName", DISK), ("AuthMethod", "CHAP")], None),
    ("algorithms", &[("CHAP_A", "8,5")], None),
    ("wrong proof", &[("CHAP_N", "host"), ("CHAP_R", "0x1234")], None),
    ("to the end", &[], Some(Stage::FullFeature)),
];

/// Asks the target something in the stage it is in.
fn ask(
    t: &mut target::Login,
    asked: &(&str, Pairs, Option<Stage>),
    terms: Authentication,
) -> String {
    let (_, pairs, next) = *asked;
    let current = match t.state() {
        TargetLoginState::Negotiating(stage) => stage,
        _ => Stage::Operational,
    };
    // In the operational stage there is one way to go.
    let next = next.map(|next| if next > current { next } else { Stage::FullFeature });
    let data = text(pairs);
    let request = LoginRequest {
        flags: LoginFlags { current, next, is_continued: false },
        version_max: 0,
        version_min: 0,
        data_len: data.len() as u32,
        isid: config(Proof::None).isid,
        tsih: 0,
        itt: config(Proof::None).itt,
        cid: 0,
        cmd_sn: crate::serial::Serial(1),
        exp_stat_sn: crate::serial::Serial(0),
    };
    let heard = t.handle(&request.encode(), &data, &directory(terms));
    t.poll_transmit();
    match heard {
        Err(error) => kind(&format!("{error:?}")),
        Ok(()) => kind(&t.state_name()),
    }
}

#[test]
fn rfc_point_11_the_targets_table() {
    let by = |terms: Authentication, steps: &[usize]| {
        let mut t = target();
        for step in steps {
            ask(&mut t, &ASKED[*step], terms.clone());
        }
        (t, terms)
    };
    let states = [
        ("Start, open", by(Authentication::None, &[])),
        ("Start, CHAP", by(terms(), &[])),
        ("Chap", by(terms(), &[3])),
        ("Chap, proof due", by(terms(), &[3, 4])),
        ("Open", by(Authentication::None, &[2])),
        ("Operational", by(Authentication::None, &[2, 1])),
        ("Operational, our offers due", by(Authentication::None, &[2, 1, 0])),
        ("Deciding", by(Authentication::None, &[2, 6])),
        ("Closing", by(Authentication::None, &[0])),
    ];
    let mut table = String::new();
    for (state, (t, terms)) in states {
        writeln!(table, "{state}").unwrap();
        for asked in &ASKED {
            let word = ask(&mut t.clone(), asked, terms.clone());
            writeln!(table, "    {:<12} {word}", asked.0).unwrap();
        }
    }
    assert_eq!(table, TARGET, "\n{table}");
}

const INITIATOR: &str = "\
Method, none
    nothing      Leaving
    nothing, T   Operational
    None         Leaving
    None, T      Operational
    CHAP         NoAuthMethod
    challenge    Leaving
    moved        Redirected
    refused      Refused(NotFound)
Method, one-way
    nothing      Leaving
    nothing, T   Mismatch(Transit)
    None         Leaving
    None, T      Mismatch(Transit)
    CHAP         Chap
    challenge    Leaving
    moved        Redirected
    refused      Refused(NotFound)
Method, mutual
    nothing      NoAuthMethod
    nothing, T   Mismatch(Transit)
    None         NoAuthMethod
    None, T      Mismatch(Transit)
    CHAP         Chap
    challenge    NoAuthMethod
    moved        Redirected
    refused      Refused(NotFound)
Chap
    nothing      Chap(Missing)
    nothing, T   Mismatch(Transit)
    None         Chap(Missing)
    None, T      Mismatch(Transit)
    CHAP         Chap(Missing)
    challenge    Leaving
    moved        Redirected
    refused      Refused(NotFound)
Chap, proof due
    nothing      Chap(Missing)
    nothing, T   Chap(Missing)
    None         Chap(Missing)
    None, T      Chap(Missing)
    CHAP         Chap(Missing)
    challenge    Chap(Unexpected)
    moved        Redirected
    refused      Refused(NotFound)
Leaving
    nothing      Leaving
    nothing, T   Operational
    None         Leaving
    None, T      Operational
    CHAP         Leaving
    challenge    Leaving
    moved        Redirected
    refused      Refused(NotFound)
Operational
    nothing      Operational
    nothing, T   Done
    None         Operational
    None, T      Done
    CHAP         Operational
    challenge    Operational
    moved        Redirected
    refused      Refused(NotFound)
Done
    nothing      -
    nothing, T   -
    None         -
    None, T      -
    CHAP         -
    challenge    -
    moved        -
    refused      -
Failed
    nothing      -
    nothing, T   -
    None         -
    None, T      -
    CHAP         -
    challenge    -
    moved        -
    refused      -
";
const TARGET: &str = "\
Start, open
    nothing      Missing
    nothing, T   Missing
    names, None  Open
    names, CHAP  NoAuthMethod
    algorithms   Missing
    wrong proof  Missing
    to the end   Missing
Start, CHAP
    nothing      Missing
    nothing, T   Missing
    names, None  NoAuthMethod
    names, CHAP  Chap
    algorithms   Missing
    wrong proof  Missing
    to the end   Missing
Chap
    nothing      Chap(Missing)
    nothing, T   Chap(Missing)
    names, None  Chap(Missing)
    names, CHAP  Chap(Missing)
    algorithms   Chap
    wrong proof  Chap(Unexpected)
    to the end   Chap(Missing)
Chap, proof due
    nothing      Chap(Missing)
    nothing, T   Chap(Missing)
    names, None  Chap(Missing)
    names, CHAP  Chap(Missing)
    algorithms   Chap(Unexpected)
    wrong proof  Chap(WrongResponse)
    to the end   Chap(Missing)
Open
    nothing      Open
    nothing, T   Operational
    names, None  Open
    names, CHAP  Open
    algorithms   Open
    wrong proof  Open
    to the end   Deciding
Operational
    nothing      Operational
    nothing, T   Operational
    names, None  Operational
    names, CHAP  Operational
    algorithms   Operational
    wrong proof  Operational
    to the end   Operational
Operational, our offers due
    nothing      Operational
    nothing, T   Deciding
    names, None  Operational
    names, CHAP  Operational
    algorithms   Operational
    wrong proof  Operational
    to the end   Deciding
Deciding
    nothing      OutOfTurn
    nothing, T   OutOfTurn
    names, None  OutOfTurn
    names, CHAP  OutOfTurn
    algorithms   OutOfTurn
    wrong proof  OutOfTurn
    to the end   OutOfTurn
Closing
    nothing      OutOfTurn
    nothing, T   OutOfTurn
    names, None  OutOfTurn
    names, CHAP  OutOfTurn
    algorithms   OutOfTurn
    wrong proof  OutOfTurn
    to the end   OutOfTurn
";

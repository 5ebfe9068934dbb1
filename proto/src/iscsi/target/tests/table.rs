//! What happens to a task: each state against each event, as one table.

use std::format;
use std::string::String;

use super::*;

const STATES: [&str; 8] =
    ["held", "unsolicited", "solicited", "executing", "aborted", "answering", "leaving", "gone"];
const EVENTS: [&str; 8] = [
    "next data",
    "skipped data",
    "same tag",
    "ABORT TASK",
    "LUN RESET",
    "terminate, told",
    "logout",
    "complete",
];

/// A session with one task, of tag 1, in that state.
fn in_state(state: &str) -> (Rig, Option<Command>, Ttt) {
    let mut rig = Rig::new();
    let mut ttt = Ttt::NONE;
    match state {
        "held" => {
            rig.next_cmd_sn();
            let read = rig.read(1, 512);
            rig.send(read, &[]);
        }
        "unsolicited" | "solicited" => {
            let write = rig.write(1, 1024, 0, state == "solicited");
            rig.send(write, &[]);
            ttt = r2ts(&rig.out()).first().map_or(Ttt::NONE, |r2t| r2t.ttt);
        }
        _ => {
            let read = rig.read(1, 512);
            rig.send(read, &[]);
            return executed(rig, state);
        }
    }
    (rig, None, ttt)
}

fn executed(mut rig: Rig, state: &str) -> (Rig, Option<Command>, Ttt) {
    let command = rig.executes();
    match state {
        "executing" => {}
        "aborted" => {
            rig.session.terminate(Scope::Session, false);
            rig.events();
        }
        _ => rig.good(command),
    }
    match state {
        "leaving" => assert!(rig.session.poll_transmit().is_some()),
        "gone" => assert_eq!(rig.out().len(), 1),
        _ => {}
    }
    let is_executing = matches!(state, "executing" | "aborted");
    (rig, is_executing.then_some(command), Ttt::NONE)
}

fn happens(rig: &mut Rig, command: Option<Command>, ttt: Ttt, event: &str) -> Option<Receive> {
    match event {
        "next data" => return Some(data(rig, ttt, 0)),
        "skipped data" => return Some(data(rig, ttt, 3)),
        "same tag" => {
            let twin = rig.read(1, 512);
            rig.send(twin, &[]);
        }
        "ABORT TASK" | "LUN RESET" => {
            let is_abort = event == "ABORT TASK";
            let function =
                if is_abort { TaskFunction::AbortTask } else { TaskFunction::LogicalUnitReset };
            let mut tmf = rig.tmf(function, 1);
            tmf.ref_cmd_sn = rig.cmd_sn.minus(1);
            rig.send(InitiatorPdu::TaskManagement(tmf), &[]);
        }
        "terminate, told" => rig.session.terminate(Scope::Lun(LUN), true),
        "logout" => {
            let (cmd_sn, exp_stat_sn) = (rig.cmd_sn, rig.stat_sn);
            let (reason, itt, cid) = (LogoutReason::CloseSession, Itt(77), 7);
            let pdu = LogoutRequest { immediate: true, reason, itt, cid, cmd_sn, exp_stat_sn };
            rig.send(InitiatorPdu::Logout(pdu), &[]);
        }
        _ => rig.good(command?),
    }
    Some(Receive::Nothing)
}

fn data(rig: &mut Rig, ttt: Ttt, data_sn: u32) -> Receive {
    let pdu = rig.data_out(1, ttt, (data_sn, 0, 1024, true));
    rig.send(pdu, &[])
}

fn pdu_name(pdu: &TargetPdu) -> String {
    match pdu {
        TargetPdu::DataIn(pdu) => format!("Data-In {:?}", pdu.status),
        TargetPdu::ScsiResponse(pdu) => format!("{}", pdu.status),
        TargetPdu::Reject(pdu) => format!("Reject {:?}", pdu.reason),
        TargetPdu::TaskManagementResponse(pdu) => format!("TMF {:?}", pdu.response),
        TargetPdu::LogoutResponse(pdu) => format!("Logout {:?}", pdu.result),
        other => format!("{other:?}"),
    }
}

fn event_name(event: &Event) -> &'static str {
    match event {
        Event::Command(_) => "execute",
        Event::Abort { .. } => "abort",
        Event::Dropped { .. } => "dropped",
        Event::Management { .. } => "ask",
        Event::Logout { .. } => "log out",
        Event::Close => "close",
        Event::Text { .. } | Event::PeerSilent => "?",
    }
}

fn cell(state: &str, event: &str) -> String {
    let (mut rig, command, ttt) = in_state(state);
    let Some(receive) = happens(&mut rig, command, ttt, event) else { return "-".into() };
    let mut words = Vec::new();
    match receive {
        Receive::Task { .. } => words.push("keep".into()),
        Receive::Discard { .. } => words.push("discard".into()),
        _ => {}
    }
    let out = core::iter::from_fn(|| rig.session.poll_transmit());
    let pdus: Vec<_> = out.map(|out| TargetPdu::decode(&out.bhs).unwrap()).collect();
    words.extend(rig.events().iter().map(|event| event_name(event).into()));
    words.extend(pdus.iter().map(pdu_name));
    if words.is_empty() { "nothing".into() } else { words.join(", ") }
}

#[test]
fn state_by_event() {
    let mut table = String::new();
    for state in STATES {
        for event in EVENTS {
            table += &format!("{state:<12} {event:<16}{}\n", cell(state, event));
        }
    }
    assert_eq!(table, EXPECTED, "\n{table}");
}

const EXPECTED: &str = "\
held         next data       discard, Reject InvalidPduField
held         skipped data    discard, Reject InvalidPduField
held         same tag        Reject TaskInProgress
held         ABORT TASK      dropped, TMF Complete
held         LUN RESET       dropped, ask
held         terminate, told nothing
held         logout          log out, dropped, close, Logout Closed
held         complete        -
unsolicited  next data       keep, execute
unsolicited  skipped data    discard, CHECK CONDITION
unsolicited  same tag        Reject TaskInProgress
unsolicited  ABORT TASK      dropped, TMF Complete
unsolicited  LUN RESET       dropped, ask
unsolicited  terminate, told nothing
unsolicited  logout          log out, dropped, close, Logout Closed
unsolicited  complete        -
solicited    next data       keep, execute
solicited    skipped data    discard, CHECK CONDITION
solicited    same tag        Reject TaskInProgress
solicited    ABORT TASK      dropped, TMF Complete
solicited    LUN RESET       ask
solicited    terminate, told nothing
solicited    logout          log out, dropped, close, Logout Closed
solicited    complete        -
executing    next data       discard, Reject InvalidPduField
executing    skipped data    discard, Reject InvalidPduField
executing    same tag        Reject TaskInProgress
executing    ABORT TASK      abort
executing    LUN RESET       abort, ask
executing    terminate, told abort
executing    logout          log out, abort
executing    complete        Data-In Some(Good)
aborted      next data       discard, Reject InvalidPduField
aborted      skipped data    discard, Reject InvalidPduField
aborted      same tag        Reject TaskInProgress
aborted      ABORT TASK      nothing
aborted      LUN RESET       ask
aborted      terminate, told nothing
aborted      logout          log out
aborted      complete        dropped
answering    next data       discard, Reject InvalidPduField, Data-In Some(Good)
answering    skipped data    discard, Reject InvalidPduField, Data-In Some(Good)
answering    same tag        Reject TaskInProgress, Data-In Some(Good)
answering    ABORT TASK      Data-In Some(Good), TMF Complete
answering    LUN RESET       ask, Data-In Some(Good)
answering    terminate, told Data-In Some(Good)
answering    logout          log out, close, Data-In Some(Good), Logout Closed
answering    complete        -
leaving      next data       discard
leaving      skipped data    discard
leaving      same tag        execute
leaving      ABORT TASK      TMF TaskDoesNotExist
leaving      LUN RESET       ask
leaving      terminate, told nothing
leaving      logout          log out, close, Logout Closed
leaving      complete        -
gone         next data       discard
gone         skipped data    discard
gone         same tag        execute
gone         ABORT TASK      TMF TaskDoesNotExist
gone         LUN RESET       ask
gone         terminate, told nothing
gone         logout          log out, close, Logout Closed
gone         complete        -
";

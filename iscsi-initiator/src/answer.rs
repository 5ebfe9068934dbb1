//! What the end of a task means for its request. Pure.

use byway_engine::ErrorKind;
use byway_engine::block::Op;
use byway_proto::iscsi::initiator::{Outcome, Sent};
use byway_proto::iscsi::pdu::Residual;
use byway_proto::scsi::{Sense, Status};

use crate::attention::{self, Duty, News};
use crate::request::Request;

/// What to do with a request whose task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is done.
    Done,
    /// The write is done, a flush must follow.
    Flush,
    /// Send it again.
    Again,
    /// Send it again when the target has room.
    Refused(Status),
    /// Send it again after a look at the states of the paths.
    LookAtPaths,
    /// It failed.
    Failed(ErrorKind, String),
}

/// The verdict, and what else has changed.
pub(crate) fn judge(request: &Request, outcome: &Outcome, must_flush: bool) -> (Verdict, News) {
    match outcome {
        Outcome::Good { residual, moved } => {
            (good(request, *residual, *moved, must_flush), News::None)
        }
        Outcome::Status { status, sense, .. } => {
            let sense = sense.as_ref().and_then(|bytes| Sense::parse(bytes.as_slice()));
            self::status(request, *status, sense.as_ref())
        }
        Outcome::Retry => (Verdict::Again, News::None),
        Outcome::TargetFailure(response) => {
            let words = format!("the target could not execute it: {response:?}");
            (unknown(request, words), News::None)
        }
        Outcome::Aborted { sent: Sent::Never, .. } => {
            (Verdict::Failed(aborted(false), "given up before it was sent".into()), News::None)
        }
        Outcome::Aborted { cause, .. } => {
            (unknown(request, format!("aborted by its {cause:?}")), News::None)
        }
    }
}

fn aborted(maybe_written: bool) -> ErrorKind {
    ErrorKind::Aborted { maybe_written }
}

/// It may have been executed, and is not any more.
fn unknown(request: &Request, words: String) -> Verdict {
    Verdict::Failed(aborted(request.io.op.changes_medium()), words)
}

/// GOOD is not enough: all bytes must have come or gone.
fn good(request: &Request, residual: Residual, moved: u32, must_flush: bool) -> Verdict {
    let io = &request.io;
    let expected = match io.op {
        Op::Read | Op::Write if !request.is_flushing => io.len,
        Op::CompareAndWrite => io.len * 2,
        _ => 0,
    };
    if u64::from(moved) < expected {
        let words = format!("the target moved {moved} of {expected} bytes ({residual:?})");
        return Verdict::Failed(ErrorKind::Media, words);
    }
    if must_flush && !request.is_flushing { Verdict::Flush } else { Verdict::Done }
}

fn status(request: &Request, status: Status, sense: Option<&Sense>) -> (Verdict, News) {
    let changes = request.io.op.changes_medium();
    match (status, sense) {
        (Status::Busy | Status::TaskSetFull, _) => (Verdict::Refused(status), News::None),
        (Status::ReservationConflict, _) => {
            let words = "another host's reservation keeps this one out";
            (Verdict::Failed(ErrorKind::Fenced, words.into()), News::Reservations)
        }
        (Status::CheckCondition, Some(sense)) => {
            let (duty, news) = attention::judge(sense, changes);
            (verdict(duty, sense), news)
        }
        // SAM-5 section 5.3.1: another nexus aborted it.
        (Status::TaskAborted, _) => {
            (unknown(request, "aborted by another initiator".into()), News::None)
        }
        (other, _) => (unknown(request, format!("ended with {other:?} and no sense")), News::None),
    }
}

fn verdict(duty: Duty, sense: &Sense) -> Verdict {
    match duty {
        Duty::Retry => Verdict::Again,
        Duty::RetryLater => Verdict::Refused(Status::Busy),
        Duty::LookAtPaths => Verdict::LookAtPaths,
        Duty::Fail(kind) => Verdict::Failed(kind, format!("the target says {sense}")),
    }
}

#[cfg(test)]
mod tests {
    use byway_engine::block::Io;
    use byway_proto::iscsi::initiator::{AbortCause, SenseBytes};
    use byway_proto::scsi::SenseCode;

    use super::*;

    fn request(io: Io) -> Request {
        Request {
            order: 0,
            io,
            is_flushing: false,
            attempts: 1,
            held_by: None,
            maybe_written: false,
            is_given_up: false,
            losses: 0,
            give_up_ns: 0,
        }
    }

    fn write() -> Request {
        let mut io = Io::flush();
        (io.op, io.len) = (Op::Write, 4096);
        request(io)
    }

    fn sense(sense: Sense) -> Outcome {
        Outcome::Status {
            status: Status::CheckCondition,
            residual: Residual::None,
            moved: 0,
            sense: Some(Box::new(SenseBytes::new(&sense.to_fixed()))),
        }
    }

    #[test]
    fn a_good_status_with_missing_bytes_is_no_success() {
        let short = Outcome::Good { residual: Residual::Underflow(512), moved: 3584 };
        let (verdict, _) = judge(&write(), &short, false);
        assert!(matches!(verdict, Verdict::Failed(ErrorKind::Media, _)), "{verdict:?}");
        let whole = Outcome::Good { residual: Residual::None, moved: 4096 };
        assert_eq!(judge(&write(), &whole, false).0, Verdict::Done);
        assert_eq!(judge(&write(), &whole, true).0, Verdict::Flush);
    }

    #[test]
    fn a_conflict_is_fenced_and_never_sent_again() {
        let conflict = Outcome::Status {
            status: Status::ReservationConflict,
            residual: Residual::None,
            moved: 0,
            sense: None,
        };
        let (verdict, news) = judge(&write(), &conflict, false);
        assert!(matches!(verdict, Verdict::Failed(ErrorKind::Fenced, _)));
        assert_eq!(news, News::Reservations);
    }

    #[test]
    fn an_aborted_write_says_that_it_may_have_happened() {
        for (sent, maybe_written) in [(Sent::Never, false), (Sent::MaybeExecuted, true)] {
            let outcome = Outcome::Aborted { cause: AbortCause::Deadline, sent };
            let Verdict::Failed(kind, _) = judge(&write(), &outcome, false).0 else { panic!() };
            assert_eq!(kind, ErrorKind::Aborted { maybe_written });
        }
    }

    #[test]
    fn attentions_are_sent_again_with_their_news() {
        let changed = Sense::attention(SenseCode { asc: 0x2a, ascq: 0x09 });
        assert_eq!(judge(&write(), &sense(changed), false), (Verdict::Again, News::Capacity));
        let standby = Sense::not_ready(SenseCode::ALUA_STANDBY);
        assert_eq!(judge(&write(), &sense(standby), false).0, Verdict::LookAtPaths);
    }
}

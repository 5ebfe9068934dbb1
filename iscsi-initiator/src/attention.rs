//! What sense data ask of an initiator: the table of unit attentions and failures.
//!
//! Sources: SPC-4 section 4.5.2.8 and annex on ASC/ASCQ, SAM-5 section 5.14.

use byway_engine::ErrorKind;
use byway_proto::scsi::{Sense, SenseCode, SenseKey};

/// What to do about a CHECK CONDITION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// The command was not executed: send it again at once.
    Retry,
    /// Send it again after a pause.
    RetryLater,
    /// Another path may be better: look at ALUA states again, then send it again.
    LookAtPaths,
    /// The command failed for good.
    Fail(ErrorKind),
}

/// What besides the command itself has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing.
    None,
    /// The size may be another one.
    Capacity,
    /// Registrations or the reservation.
    Reservations,
    /// The target may have lost what its volatile cache held.
    CacheLost,
}

/// The answer to a CHECK CONDITION; `changes` where the command may change the medium.
pub(crate) fn judge(sense: &Sense, changes: bool) -> (Duty, News) {
    match sense.key {
        SenseKey::UnitAttention => attention(sense.code),
        SenseKey::RecoveredError | SenseKey::NoSense => (Duty::Retry, News::None),
        SenseKey::NotReady => (not_ready(sense.code), News::None),
        SenseKey::MediumError | SenseKey::HardwareError => {
            (Duty::Fail(ErrorKind::Media), News::None)
        }
        SenseKey::IllegalRequest => (Duty::Fail(illegal(sense.code)), News::None),
        SenseKey::DataProtect => (Duty::Fail(protected(sense.code)), News::None),
        SenseKey::Miscompare => {
            let at = sense.information.unwrap_or(0);
            (Duty::Fail(ErrorKind::Miscompare { at }), News::None)
        }
        SenseKey::AbortedCommand if !changes => (Duty::Retry, News::None),
        _ => (Duty::Fail(ErrorKind::Aborted { maybe_written: changes }), News::None),
    }
}

/// A unit attention says that something happened before the command, which was not executed.
fn attention(code: SenseCode) -> (Duty, News) {
    match (code.asc, code.ascq) {
        // I_T nexus loss: our own doing.
        (0x29, 0x07) => (Duty::Retry, News::None),
        (0x29, _) => (Duty::Retry, News::CacheLost),
        (0x2a, 0x09) => (Duty::Retry, News::Capacity),
        (0x2a, 0x03..=0x05) => (Duty::Retry, News::Reservations),
        (0x2a, 0x06 | 0x07) => (Duty::LookAtPaths, News::None),
        (0x2a, 0x01) | (0x3f, 0x0e) => (Duty::Retry, News::Capacity),
        _ => (Duty::Retry, News::None),
    }
}

fn not_ready(code: SenseCode) -> Duty {
    match (code.asc, code.ascq) {
        // Transitioning, standby, unavailable: the ALUA states.
        (0x04, 0x0a..=0x0c) => Duty::LookAtPaths,
        (0x04, 0x01 | 0x04 | 0x07 | 0x09 | 0x14) => Duty::RetryLater,
        _ => Duty::Fail(ErrorKind::Media),
    }
}

fn illegal(code: SenseCode) -> ErrorKind {
    match (code.asc, code.ascq) {
        (0x20, 0) | (0x24, 0) | (0x26, 0) => ErrorKind::Unsupported,
        (0x25, 0) => ErrorKind::PathLost,
        _ => ErrorKind::Range,
    }
}

fn protected(code: SenseCode) -> ErrorKind {
    match (code.asc, code.ascq) {
        (0x27, 0x07) => ErrorKind::NoSpace,
        _ => ErrorKind::ReadOnly,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: SenseKey, asc: u8, ascq: u8) -> (Duty, News) {
        judge(&Sense::new(key, SenseCode { asc, ascq }), true)
    }

    #[test]
    fn unit_attentions_are_retried_and_their_news_told() {
        use SenseKey::UnitAttention as Ua;
        assert_eq!(of(Ua, 0x29, 0x07), (Duty::Retry, News::None));
        assert_eq!(of(Ua, 0x29, 0x00), (Duty::Retry, News::CacheLost));
        assert_eq!(of(Ua, 0x29, 0x01), (Duty::Retry, News::CacheLost));
        assert_eq!(of(Ua, 0x2a, 0x09), (Duty::Retry, News::Capacity));
        assert_eq!(of(Ua, 0x2a, 0x03), (Duty::Retry, News::Reservations));
        assert_eq!(of(Ua, 0x2a, 0x05), (Duty::Retry, News::Reservations));
        assert_eq!(of(Ua, 0x2a, 0x06), (Duty::LookAtPaths, News::None));
        assert_eq!(of(Ua, 0x3f, 0x0e), (Duty::Retry, News::Capacity));
    }

    #[test]
    fn failures_say_what_the_caller_must_do() {
        let kind = |key, asc, ascq| match of(key, asc, ascq).0 {
            Duty::Fail(kind) => kind,
            other => panic!("{other:?}"),
        };
        assert_eq!(kind(SenseKey::MediumError, 0x11, 0), ErrorKind::Media);
        assert_eq!(kind(SenseKey::IllegalRequest, 0x21, 0), ErrorKind::Range);
        assert_eq!(kind(SenseKey::IllegalRequest, 0x20, 0), ErrorKind::Unsupported);
        assert_eq!(kind(SenseKey::IllegalRequest, 0x25, 0), ErrorKind::PathLost);
        assert_eq!(kind(SenseKey::DataProtect, 0x27, 0), ErrorKind::ReadOnly);
        assert_eq!(kind(SenseKey::DataProtect, 0x27, 7), ErrorKind::NoSpace);
        let aborted = ErrorKind::Aborted { maybe_written: true };
        assert_eq!(kind(SenseKey::AbortedCommand, 0x47, 3), aborted);
    }

    #[test]
    fn an_aborted_read_is_sent_again() {
        let sense = Sense::new(SenseKey::AbortedCommand, SenseCode { asc: 0x47, ascq: 3 });
        assert_eq!(judge(&sense, false).0, Duty::Retry);
    }
}

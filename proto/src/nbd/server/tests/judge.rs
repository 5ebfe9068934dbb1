//! What requests may be, as tables.

use proptest::prelude::*;

use super::*;
use crate::nbd::command::Command;
use crate::nbd::errno::NbdErrno;
use crate::nbd::flags::CommandFlags;
use crate::nbd::limits::PAYLOAD_SKIP_MAX;
use crate::nbd::request::Request;

fn request(command: Command, flags: u16, offset: u64, len: u64) -> Request {
    Request { flags: CommandFlags(flags), command, cookie: 7, offset, len }
}

fn session(headers: Headers) -> Session {
    Session::new(&negotiated(headers))
}

fn errno(verdict: Verdict) -> Option<NbdErrno> {
    match verdict {
        Verdict::Refuse { errno, .. } => Some(errno),
        _ => None,
    }
}

#[test]
fn legal_requests_are_executed() {
    let session = session(Headers::Structured);
    let (offset, len) = (4096, 1024);
    let table = [
        (Command::Read, 4, Operation::Read { offset, len, is_unfragmented: true }),
        (Command::Read, 1, Operation::Read { offset, len, is_unfragmented: false }),
        (Command::Write, 1, Operation::Write { offset, len, is_fua: true }),
        (Command::Trim, 0, Operation::Trim { offset, len: 1024, is_fua: false }),
        (Command::Cache, 1, Operation::Cache { offset, len: 1024 }),
        (
            Command::WriteZeroes,
            0x13,
            Operation::WriteZeroes {
                offset,
                len: 1024,
                is_fua: true,
                is_allocating: true,
                is_fast_only: true,
            },
        ),
        (Command::BlockStatus, 8, Operation::BlockStatus { offset, len: 1024, is_one: true }),
    ];
    for (command, flags, operation) in table {
        let verdict = session.judge(&request(command, flags, offset, 1024));
        assert_eq!(verdict, Verdict::Execute(operation), "{command:?}");
    }
    let flush = session.judge(&request(Command::Flush, 1, 0, 0));
    assert_eq!(flush, Verdict::Execute(Operation::Flush));
    assert_eq!(session.judge(&request(Command::Disconnect, 0, 0, 0)), Verdict::Disconnect);
}

#[test]
fn the_table_of_flags_of_each_command() {
    let table = [
        (Command::Read, 0x05),
        (Command::Write, 0x21),
        (Command::Trim, 0x01),
        (Command::Cache, 0x01),
        (Command::WriteZeroes, 0x13),
        (Command::BlockStatus, 0x09),
        (Command::Unknown(8), 0),
    ];
    let session = session(Headers::Extended);
    for (command, allowed) in table {
        for flag in (0..16).map(|bit| 1 << bit) {
            let verdict = session.judge(&request(command, flag, 0, 512));
            let expected = (allowed & flag == 0).then_some(NbdErrno::Einval);
            assert_eq!(errno(verdict), expected, "{command:?} {flag:#x}");
        }
    }
}

#[test]
fn what_was_not_offered_is_invalid() {
    let plain = Negotiated {
        info: ExportInfo { flags: TransmissionFlags::HAS_FLAGS, ..info() },
        has_allocation: false,
        ..negotiated(Headers::Simple)
    };
    let plain = Session::new(&plain);
    for code in 3..200 {
        let verdict = plain.judge(&request(Command::from_code(code), 0, 0, 0));
        assert_eq!(errno(verdict), Some(NbdErrno::Einval), "{code}");
    }
    for flags in [1, 2, 4, 0x20] {
        let verdict = plain.judge(&request(Command::Read, flags, 0, 512));
        assert_eq!(errno(verdict), Some(NbdErrno::Einval), "{flags}");
    }
}

#[test]
fn the_table_of_ranges() {
    let session = session(Headers::Structured);
    let last = MIB - 512;
    let table = [
        (Command::Read, last, 512, None),
        (Command::Read, last, 1024, Some(NbdErrno::Einval)),
        (Command::Write, last, 512, None),
        (Command::Write, last, 1024, Some(NbdErrno::Enospc)),
        (Command::Write, u64::MAX - 511, 512, Some(NbdErrno::Enospc)),
        (Command::WriteZeroes, MIB, 512, Some(NbdErrno::Enospc)),
        (Command::Trim, MIB, 512, Some(NbdErrno::Einval)),
        (Command::Trim, 0, MIB, None),
        (Command::BlockStatus, MIB, 512, Some(NbdErrno::Einval)),
        (Command::BlockStatus, 0, 0, Some(NbdErrno::Einval)),
        (Command::Read, 1, 512, Some(NbdErrno::Einval)),
        (Command::Read, 0, 511, Some(NbdErrno::Einval)),
        (Command::Write, 256, 512, Some(NbdErrno::Einval)),
        (Command::Read, 0, 65536, None),
        (Command::Read, 0, 65536 + 512, Some(NbdErrno::Einval)),
        (Command::Write, 0, 65536 + 512, Some(NbdErrno::Einval)),
        (Command::Flush, 512, 0, Some(NbdErrno::Einval)),
        (Command::Flush, 0, 512, Some(NbdErrno::Einval)),
    ];
    for (command, offset, len, expected) in table {
        let verdict = session.judge(&request(command, 0, offset, len));
        assert_eq!(errno(verdict), expected, "{command:?} {offset} {len}");
    }
    let too_long = session.judge(&request(Command::Read, 4, 0, 65536 + 512));
    assert_eq!(errno(too_long), Some(NbdErrno::Eoverflow), "one chunk cannot hold it");
}

#[test]
fn a_request_of_no_bytes_is_done_at_once() {
    let session = session(Headers::Simple);
    for command in [Command::Read, Command::Write, Command::Trim, Command::WriteZeroes] {
        let verdict = session.judge(&request(command, 0, MIB, 0));
        assert_eq!(verdict, Verdict::Execute(Operation::Nothing));
    }
}

#[test]
fn a_refused_write_has_its_payload_skipped_up_to_a_limit() {
    let mut told = negotiated(Headers::Simple);
    told.info.flags = told.info.flags.with(TransmissionFlags::READ_ONLY);
    let session = Session::new(&told);
    for command in [Command::Write, Command::Trim, Command::WriteZeroes] {
        let verdict = session.judge(&request(command, 0, 0, 512));
        assert_eq!(errno(verdict), Some(NbdErrno::Eperm));
        let Verdict::Refuse { payload_to_skip, .. } = verdict else { panic!("not {verdict:?}") };
        assert_eq!(payload_to_skip, if command == Command::Write { 512 } else { 0 });
    }
    let longest = session.judge(&request(Command::Write, 0, 0, PAYLOAD_SKIP_MAX));
    assert_eq!(errno(longest), Some(NbdErrno::Eperm));
    let len = PAYLOAD_SKIP_MAX + 1;
    let verdict = session.judge(&request(Command::Write, 0, 0, len));
    assert_eq!(verdict, Verdict::Close(SessionError::PayloadLength { len }));
}

#[test]
fn a_payload_that_is_announced_is_skipped_where_it_has_no_meaning() {
    let extended = session(Headers::Extended);
    let status = request(Command::BlockStatus, 0x20, 0, 512);
    let compact = session(Headers::Structured);
    assert_eq!(extended.payload_len(&status), 512);
    assert_eq!(compact.payload_len(&status), 0, "the flag has no meaning there");
    assert_eq!(errno(extended.judge(&status)), Some(NbdErrno::Einval));
    assert_eq!(errno(compact.judge(&status)), Some(NbdErrno::Einval));
    let huge = request(Command::Trim, 0x20, 0, u64::MAX);
    assert!(matches!(extended.judge(&huge), Verdict::Close(_)));
    let silent = request(Command::Write, 0, 0, 512);
    assert_eq!(extended.payload_len(&silent), 512, "a write has a payload anyway");
    assert!(matches!(extended.judge(&silent), Verdict::Execute(_)));
}

#[test]
fn zeroes_that_are_not_fast_are_not_supported() {
    let mut told = negotiated(Headers::Simple);
    told.info.is_zeroing_fast = false;
    let session = Session::new(&told);
    let verdict = session.judge(&request(Command::WriteZeroes, 0x10, 0, 512));
    assert_eq!(errno(verdict), Some(NbdErrno::Enotsup));
    assert_eq!(errno(session.judge(&request(Command::WriteZeroes, 0, 0, 512))), None);
}

#[test]
fn requests_are_read_when_they_are_here() {
    for headers in [Headers::Simple, Headers::Structured, Headers::Extended] {
        let session = session(headers);
        let sent = request(Command::Write, 0, 512, 512);
        let mut bytes = match headers {
            Headers::Extended => sent.encode_extended().to_vec(),
            _ => sent.encode_compact().to_vec(),
        };
        let len = bytes.len();
        assert_eq!(session.parse(&bytes[..len - 1]), Ok(None));
        assert_eq!(session.parse(&bytes), Ok(Some((sent, len))));
        bytes.extend(long(512));
        assert_eq!(session.parse(&bytes), Ok(Some((sent, len))));
        bytes[0] ^= 1;
        assert!(matches!(session.parse(&bytes), Err(SessionError::Wire(_))));
    }
}

proptest! {
    #[test]
    fn what_is_executed_lies_inside(
        command in 0_u16..10, flags in 0_u16..64, offset: u64, len: u64, shift in 0_u32..64,
    ) {
        let session = session(Headers::Extended);
        let (offset, len) = (offset >> shift & !511, len >> shift & !511);
        let verdict = session.judge(&request(Command::from_code(command), flags, offset, len));
        let range = match verdict {
            Verdict::Execute(
                Operation::Read { offset, len, .. } | Operation::Write { offset, len, .. },
            ) => Some((offset, len.into())),
            Verdict::Execute(
                Operation::Trim { offset, len, .. }
                | Operation::Cache { offset, len }
                | Operation::WriteZeroes { offset, len, .. }
                | Operation::BlockStatus { offset, len, .. },
            ) => Some((offset, len)),
            _ => None,
        };
        if let Some((offset, len)) = range {
            prop_assert!(len > 0 && offset + len <= MIB);
        }
    }
}

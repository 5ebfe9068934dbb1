//! From an error of the device to the number that clients act on (NBD, 'Error values').

use byway_engine::error::{ErrorKind, IoError};
use byway_proto::nbd::errno::NbdErrno;

/// What a client is told of an error of the device.
///
/// A device whose path is gone for good is like a server that goes away: QEMU and the kernel then
/// do not take the data for lost.
pub(crate) fn errno_of(error: &IoError) -> NbdErrno {
    match error.kind {
        ErrorKind::NoSpace => NbdErrno::Enospc,
        ErrorKind::ReadOnly | ErrorKind::Fenced => NbdErrno::Eperm,
        ErrorKind::PathLost => NbdErrno::Eshutdown,
        ErrorKind::Range => NbdErrno::Einval,
        ErrorKind::Unsupported => NbdErrno::Enotsup,
        ErrorKind::Transient if error.errno == Some(ENOMEM) => NbdErrno::Enomem,
        _ => NbdErrno::Eio,
    }
}

const ENOMEM: i32 = 12;

#[cfg(test)]
mod tests {
    use byway_engine::block::Op;

    use super::*;

    #[test]
    fn what_clients_act_on_is_told_apart() {
        let told = |kind| errno_of(&IoError::new(kind, Op::Write, 0, 512, "a test"));
        assert_eq!(told(ErrorKind::NoSpace), NbdErrno::Enospc);
        assert_eq!(told(ErrorKind::Fenced), NbdErrno::Eperm);
        assert_eq!(told(ErrorKind::PathLost), NbdErrno::Eshutdown);
        assert_eq!(told(ErrorKind::Media), NbdErrno::Eio);
        assert_eq!(told(ErrorKind::Transient), NbdErrno::Eio);
        let full = IoError::from_errno(ENOMEM, Op::Read, 0, 512, "a test");
        assert_eq!(errno_of(&full), NbdErrno::Enomem);
    }
}

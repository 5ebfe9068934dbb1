//! Asynchronous Message (RFC 7143 section 11.9): the target says something unasked. For event 0 the
//! data segment holds sense, as in a SCSI Response.

use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{BHS_LEN, Bhs, FINAL, Field, Itt, Opcode, PduError, U24, to_bhs, view};
use crate::scsi::Lun;
use crate::serial::Serial;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Wire {
    opcode: u8,
    flags: u8,
    reserved: [u8; 2],
    ahs_len: u8,
    data_len: U24,
    lun: U64,
    none: U32,
    reserved2: U32,
    stat_sn: U32,
    exp_cmd_sn: U32,
    max_cmd_sn: U32,
    event: u8,
    vendor_code: u8,
    parameters: [U16; 3],
    reserved3: U32,
}

const _: () = assert!(size_of::<Wire>() == BHS_LEN);

/// Why the target speaks, with the parameters that the event has (RFC 7143 section 11.9.1). Times are
/// in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AsyncEvent {
    /// 0: a SCSI event; sense data follow.
    Scsi,
    /// 1: log out on this connection within that time, and send no new commands.
    LogoutRequested {
        /// Parameter3.
        within: u16,
    },
    /// 2: a connection is going to be dropped.
    ConnectionDropped {
        /// Parameter1: which.
        cid: u16,
        /// Parameter2: how long to wait before reconnecting.
        time2wait: u16,
        /// Parameter3: how long tasks are kept after that.
        time2retain: u16,
    },
    /// 3: all connections of the session are going to be dropped.
    SessionDropped {
        /// Parameter2: how long to wait before logging in again.
        time2wait: u16,
        /// Parameter3: how long tasks are kept after that.
        time2retain: u16,
    },
    /// 4: negotiate parameters with a Text Request within that time.
    NegotiationRequested {
        /// Parameter3.
        within: u16,
    },
    /// 5: all tasks of the logical unit end here; with FastAbort, to be answered by a NOP-Out.
    TasksTerminated,
    /// 248 to 255: an event of the vendor.
    Vendor {
        /// The event code.
        event: u8,
        /// AsyncVCode.
        code: u8,
        /// Parameter1 to Parameter3.
        parameters: [u16; 3],
    },
}

/// First event code that belongs to vendors.
const VENDOR_FIRST: u8 = 248;

impl AsyncEvent {
    fn code(self) -> u8 {
        match self {
            AsyncEvent::Scsi => 0,
            AsyncEvent::LogoutRequested { .. } => 1,
            AsyncEvent::ConnectionDropped { .. } => 2,
            AsyncEvent::SessionDropped { .. } => 3,
            AsyncEvent::NegotiationRequested { .. } => 4,
            AsyncEvent::TasksTerminated => 5,
            AsyncEvent::Vendor { event, .. } => event.max(VENDOR_FIRST),
        }
    }

    fn parameters(self) -> [u16; 3] {
        match self {
            AsyncEvent::Scsi | AsyncEvent::TasksTerminated => [0; 3],
            AsyncEvent::LogoutRequested { within }
            | AsyncEvent::NegotiationRequested { within } => [0, 0, within],
            AsyncEvent::ConnectionDropped { cid, time2wait, time2retain } => {
                [cid, time2wait, time2retain]
            }
            AsyncEvent::SessionDropped { time2wait, time2retain } => [0, time2wait, time2retain],
            AsyncEvent::Vendor { parameters, .. } => parameters,
        }
    }

    fn vendor_code(self) -> u8 {
        match self {
            AsyncEvent::Vendor { code, .. } => code,
            _ => 0,
        }
    }
}

impl Wire {
    fn event(&self) -> Option<AsyncEvent> {
        let parameters = self.parameters.map(U16::get);
        let [cid, time2wait, time2retain] = parameters;
        Some(match self.event {
            0 => AsyncEvent::Scsi,
            1 => AsyncEvent::LogoutRequested { within: time2retain },
            2 => AsyncEvent::ConnectionDropped { cid, time2wait, time2retain },
            3 => AsyncEvent::SessionDropped { time2wait, time2retain },
            4 => AsyncEvent::NegotiationRequested { within: time2retain },
            5 => AsyncEvent::TasksTerminated,
            event @ VENDOR_FIRST.. => {
                AsyncEvent::Vendor { event, code: self.vendor_code, parameters }
            }
            _ => return None,
        })
    }
}

/// A message that answers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AsyncMessage {
    /// What happened.
    pub event: AsyncEvent,
    /// Length of the sense, in bytes.
    pub data_len: u32,
    /// The logical unit, for the events 0 and 5.
    pub lun: Lun,
    /// The number of this message, which it takes.
    pub stat_sn: Serial,
    /// First command not yet received in order.
    pub exp_cmd_sn: Serial,
    /// Last command that may be sent.
    pub max_cmd_sn: Serial,
}

impl AsyncMessage {
    /// The header.
    #[must_use]
    pub fn encode(&self) -> Bhs {
        to_bhs(&Wire {
            opcode: Opcode::AsyncMessage.byte(false),
            flags: FINAL,
            reserved: [0; 2],
            ahs_len: 0,
            data_len: U24::new(self.data_len),
            lun: self.lun.0.into(),
            none: Itt::NONE.0.into(),
            reserved2: U32::ZERO,
            stat_sn: self.stat_sn.0.into(),
            exp_cmd_sn: self.exp_cmd_sn.0.into(),
            max_cmd_sn: self.max_cmd_sn.0.into(),
            event: self.event.code(),
            vendor_code: self.event.vendor_code(),
            parameters: self.event.parameters().map(U16::new),
            reserved3: U32::ZERO,
        })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// A reserved event.
    pub fn decode(bhs: &Bhs) -> Result<AsyncMessage, PduError> {
        let wire = view::<Wire>(bhs);
        let wrong = PduError::new(Opcode::AsyncMessage, Field::Code, wire.event);
        Ok(AsyncMessage {
            event: wire.event().ok_or(wrong)?,
            data_len: wire.data_len.get(),
            lun: Lun(wire.lun.get()),
            stat_sn: Serial(wire.stat_sn.get()),
            exp_cmd_sn: Serial(wire.exp_cmd_sn.get()),
            max_cmd_sn: Serial(wire.max_cmd_sn.get()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(event: AsyncEvent) -> AsyncMessage {
        AsyncMessage {
            event,
            data_len: 0,
            lun: Lun::ZERO,
            stat_sn: Serial(1),
            exp_cmd_sn: Serial(2),
            max_cmd_sn: Serial(3),
        }
    }

    #[test]
    fn a_dropped_connection_looks_as_in_the_figure() {
        let wire: Bhs = [
            0x32, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0,
            0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 2, 0, 0, 7, 0, 2, 0, 20, 0, 0, 0, 0,
        ];
        let event = AsyncEvent::ConnectionDropped { cid: 7, time2wait: 2, time2retain: 20 };
        assert_eq!(with(event).encode(), wire);
        assert_eq!(AsyncMessage::decode(&wire), Ok(with(event)));
    }

    #[test]
    fn events_are_the_six_and_those_of_vendors() {
        let mut bhs = with(AsyncEvent::Scsi).encode();
        for code in 0..=u8::MAX {
            bhs[36] = code;
            assert_eq!(AsyncMessage::decode(&bhs).is_ok(), matches!(code, 0..=5 | 248..));
        }
    }
}

//! Doors for the fuzzer: every parser of outside bytes, and every machine that a peer talks to.
//!
//! A door takes any bytes and asserts what holds for all of them: nothing panics, what is read can be
//! written and reads the same, a task ends at most once, lengths stay inside buffers. Doors of
//! machines read a script from the bytes, so that a fuzzer gets past the first message.

mod chap;
mod discovery;
mod framing;
mod initiator;
mod input;
mod login;
mod nbd_client;
mod negotiate;
mod pdu;
mod scsi;
mod target;
mod text;
mod unit;

pub use chap::chap;
pub use discovery::discovery;
pub use framing::framing;
pub use initiator::initiator_session;
pub use login::{login_initiator, login_target};
pub use nbd_client::{nbd_client_handshake, nbd_client_replies};
pub use negotiate::negotiate;
pub use pdu::pdu;
pub use scsi::{cdb, reservations, scsi_data, sense};
pub use target::target_session;
pub use text::text;
pub use unit::unit;

use input::Input;

/// Takes any bytes and panics where a property does not hold.
pub type Door = fn(&[u8]);

/// All doors, by the names of their fuzz targets, in order.
pub const DOORS: [(&str, Door); 17] = [
    ("cdb", cdb),
    ("chap", chap),
    ("discovery", discovery),
    ("framing", framing),
    ("initiator_session", initiator_session),
    ("login_initiator", login_initiator),
    ("login_target", login_target),
    ("nbd_client_handshake", nbd_client_handshake),
    ("nbd_client_replies", nbd_client_replies),
    ("negotiate", negotiate),
    ("pdu", pdu),
    ("reservations", reservations),
    ("scsi_data", scsi_data),
    ("sense", sense),
    ("target_session", target_session),
    ("text", text),
    ("unit", unit),
];

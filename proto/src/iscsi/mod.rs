//! iSCSI after RFC 7143: the PDUs, the text keys, and the machines of both sides.
//!
//! Headers are 48 bytes on the wire and structs with legal meaning here; payload never enters.

pub mod chap;
pub mod framing;
pub mod initiator;
pub mod login;
pub mod negotiate;
pub mod pdu;
pub mod target;
pub mod text;
pub mod window;

//! The client's side of NBD as two machines: the handshake, and the transmission phase.
//!
//! Both are fed bytes as they come and never believe them: whatever the server says is checked
//! against what was asked, and a server that breaks the protocol ends the connection with a named
//! error. Payload stays outside; the machines speak of slots, offsets and lengths.

mod coverage;
mod error;
mod handshake;
mod head;
mod transmission;

pub use coverage::PIECES_MAX;
pub use error::{HandshakeFailure, ReplyFault};
pub use handshake::{Handshake, Opened};
pub use transmission::{
    BODY_LEN_MAX, Data, EXTENTS_MAX, Ended, Event, RequestHead, Step, Transmission,
};

#[cfg(test)]
mod tests;

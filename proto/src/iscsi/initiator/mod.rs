//! The full-feature phase of a session, the initiator's side: one connection, ErrorRecoveryLevel 0.
//!
//! The shell submits complete commands, sends what [`Session::poll_transmit`] hands out, in that
//! order, and passes every header to [`Session::handle_header`] and every data segment's end to
//! [`Session::handle_data`]. Numbers are written at the moment a PDU is handed out, so everything
//! before that moment can be cancelled for nothing. Every task ends exactly once: in an
//! [`Event::Completed`], or in [`Session::into_unfinished`] after the session ended. Until then its
//! buffer belongs to the session. RFC 7143 sections 4.2, 7 and 11.

mod async_message;
mod command;
mod config;
mod data_in;
mod error;
mod event;
mod logout;
mod nop;
mod r2t;
mod receive;
mod reject;
mod response;
mod session;
mod slab;
mod stage;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod text;
mod timeout;
mod tmf;
mod transmit;

pub use command::{Command, Direction, Sent, TaskId, Unfinished};
pub use config::{Config, R2TS_MAX, Start, TASKS_MAX};
pub use error::ProtocolError;
pub use event::{
    AbortCause, AsyncNotice, Event, Failure, Outcome, SENSE_BYTES_MAX, SenseBytes, TextOutcome,
    TmfOutcome,
};
pub use nop::PINGS_MAX;
pub use receive::{DataOutcome, Receive};
pub use session::{Session, SubmitError};
pub use state::State;
pub use text::{TEXT_BYTES_MAX, TextError};
pub use tmf::{TMFS_MAX, Tmf, TmfError, TmfId};
pub use transmit::{Transmit, TransmitData};

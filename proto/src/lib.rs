//! The rules: protocols as pure machines, without clock, socket, thread, randomness or hash order.
//!
//! A machine is told what happened (`handle_*`, with the time as an argument), is asked what to do
//! next (`poll_transmit`, `poll_event`) and when to be called again (`poll_timeout`). Payload stays
//! outside: machines speak of tags, offsets and lengths, and the shell around them moves the bytes.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod fuzz;
pub mod iscsi;
pub mod nbd;
pub mod reservation;
pub mod scsi;
pub mod serial;

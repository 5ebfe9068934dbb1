//! Just enough of HTTP/1.1 (RFC 9112) to be asked for metrics and status: `GET`, one request for each
//! connection, no body.
//!
//! Invariants: a request is at most [`REQUEST_LEN_MAX`] bytes and has to be there within
//! [`REQUEST_NS`]; at most [`CONNECTIONS_MAX`] are served at once, and more wait in the socket.

mod request;
mod server;
#[cfg(test)]
mod tests;

pub use request::{REQUEST_LEN_MAX, Request, Status, parse};
pub use server::{CONNECTIONS_MAX, Page, REQUEST_NS, Server, Text};

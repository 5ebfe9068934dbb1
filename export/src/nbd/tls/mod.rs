//! TLS under the NBD protocol (NBD, 'TLS support'): a stream of bytes over a stream of records.
//!
//! [`TlsStream`] has the shape of an engine stream. The rules and the cryptography are those of
//! `rustls`, which does no input or output; `session.rs` moves bytes through it, `stream.rs` gives
//! it memory and a connection, `config.rs` reads certificates and keys.
//!
//! Invariants: what waits in memory is bounded by [`CIPHER_LEN`] and one record in each direction;
//! a handshake ends within its deadline; a stream that ends without the peer's `close_notify` is an
//! error, never an end.

mod config;
mod files;
mod session;
mod stream;
#[cfg(test)]
mod tests;

pub use config::{ClientCertificates, TlsClientConfig, TlsClientFiles, TlsConfig, TlsFiles};
pub use stream::{CIPHER_LEN, TlsStream};

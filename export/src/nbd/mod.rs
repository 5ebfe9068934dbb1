//! The NBD server: serves block devices to clients of the NBD protocol.

pub mod tls;

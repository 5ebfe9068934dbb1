//! iSCSI (RFC 7143) as pure machines.

pub mod chap;
pub mod login;

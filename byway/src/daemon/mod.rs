//! What a daemon consists of besides the servers: its configuration, what it tells of itself, and how
//! a service manager and a monitoring system see it.
//!
//! Start at [`config::Config`]; the command that runs it all is in the binary.

pub mod activation;
pub mod config;
pub mod http;
pub mod metrics;
pub mod notify;
pub mod status;

//! Scenarios over the engine's simulation: real tasks on a virtual clock, under one seed.
//!
//! A scenario builds a world, lets tasks work in it, breaks things, and has a checker that stands
//! outside of what it checks. Every scenario is a function of a seed; a failure is one line with
//! the command that repeats it. Start at [`Scenario`], then `crash`, which holds the model of a
//! disk.

#![forbid(unsafe_code)]

mod crash;
mod iscsi;
mod lab;
mod nbd;
mod network;
mod scenario;
mod seeds;

pub use iscsi::IscsiMutation;
pub use nbd::{NbdMutation, ServerMutation};
pub use scenario::{Failure, Options, Passed, Scenario};
pub use seeds::Seeds;

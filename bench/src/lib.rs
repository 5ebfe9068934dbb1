//! Workloads and reports over any block device.
//!
//! The room knows no kind of device: it gets an opened `dyn BlockDevice`. From the words of the
//! command line to a result: [`words`] and [`job`] say what to run, [`generator`], [`load`] and
//! [`verify`] are the pure machine of one thread, [`run`] drives it through one of the library's
//! interfaces, [`record`] keeps the numbers and [`report`] writes them. [`mod@sweep`],
//! [`mod@compare`] and [`peers`] are made of runs.

#![forbid(unsafe_code)]

pub mod compare;
pub mod fuzz;
pub mod generator;
pub mod job;
pub mod load;
pub mod machine;
pub mod peers;
pub mod record;
pub mod report;
pub mod run;
pub mod stats;
pub mod sweep;
pub mod verify;
pub mod words;

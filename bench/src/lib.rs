//! Workloads and reports over any block device.
pub mod generator;
pub mod job;
pub mod load;
pub mod record;
pub mod verify;
pub mod words;

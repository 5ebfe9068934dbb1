//! Workloads and reports over any block device.
pub mod generator;
pub mod job;
pub mod verify;
pub mod words;

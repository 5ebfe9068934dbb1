//! Configurations of a daemon.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway::fuzz::config(data));

//! Command blocks.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_proto::fuzz::cdb(data));

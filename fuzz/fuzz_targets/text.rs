//! Keys and values, cut into parts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_proto::fuzz::text(data));

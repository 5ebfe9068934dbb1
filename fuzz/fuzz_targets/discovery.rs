//! SendTargets, both sides.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_proto::fuzz::discovery(data));

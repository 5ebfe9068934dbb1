//! What a target sends in full-feature phase.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_proto::fuzz::initiator_session(data));

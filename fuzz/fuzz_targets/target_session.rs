//! What an initiator sends in full-feature phase.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_proto::fuzz::target_session(data));

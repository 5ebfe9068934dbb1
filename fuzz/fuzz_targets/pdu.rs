//! Headers of PDUs, both directions.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_proto::fuzz::pdu(data));

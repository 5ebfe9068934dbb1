//! What a client of NBD sends in the transmission.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_proto::fuzz::nbd_requests(data));

//! What a client of NBD sends in a handshake.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_proto::fuzz::nbd_handshake_server(data));

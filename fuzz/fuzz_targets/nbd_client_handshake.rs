//! An NBD server that shakes hands in any way.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_proto::fuzz::nbd_client_handshake(data));

//! An NBD server that replies anything.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_proto::fuzz::nbd_client_replies(data));

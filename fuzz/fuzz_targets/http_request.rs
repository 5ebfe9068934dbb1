//! Requests of HTTP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway::fuzz::http_request(data));

//! URIs of devices, as they are typed and written in job files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway::fuzz::uri(data));

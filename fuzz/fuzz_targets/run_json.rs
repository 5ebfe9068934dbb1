//! Results that `bench compare` reads.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_bench::fuzz::run_json(data));

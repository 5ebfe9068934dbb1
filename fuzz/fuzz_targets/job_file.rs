//! Job files of the bench.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_bench::fuzz::job_file(data));

//! Words for sizes, rates and percentages, as on the command line.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_bench::fuzz::size_words(data));

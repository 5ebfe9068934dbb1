//! Blocks of a volume, of every kind.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_fs::fuzz::fs_block(data));

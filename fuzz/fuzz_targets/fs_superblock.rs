//! Superblocks of a volume.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_fs::fuzz::fs_superblock(data));

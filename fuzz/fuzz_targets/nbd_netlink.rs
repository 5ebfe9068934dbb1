//! What the kernel's NBD driver says over netlink.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byway_proto::fuzz::nbd_netlink(data));

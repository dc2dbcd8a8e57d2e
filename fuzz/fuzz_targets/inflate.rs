//! A codec and a payload.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_protocol::testing::fuzz_inflate(data));

//! Bytes as a log or a Fetch reply holds them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_protocol::testing::fuzz_record_set(data));

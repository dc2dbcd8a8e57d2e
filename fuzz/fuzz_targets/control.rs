//! Key and value of a control record.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_protocol::testing::fuzz_control(data));

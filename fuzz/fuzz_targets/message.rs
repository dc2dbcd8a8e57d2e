//! A message, its version and its body.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_protocol::testing::fuzz_message(data));

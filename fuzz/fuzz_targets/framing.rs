//! Request and reply headers, records of the metadata log.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_protocol::testing::fuzz_framing(data));

//! A producer's batch, its header made plausible.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_protocol::testing::fuzz_produce(data));

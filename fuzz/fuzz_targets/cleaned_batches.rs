//! Batches of any records through a pass of compaction.

#![no_main]

libfuzzer_sys::fuzz_target!(
    |data: &[u8]| ottla_log::testing::fuzz_compaction::cleaned_batches(data)
);

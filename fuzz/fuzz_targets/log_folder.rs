//! A partition's folder: a segment with its indexes and companions, opened, read and searched.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_log::testing::fuzz::partition_folder(data));

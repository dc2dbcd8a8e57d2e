//! Small files of a log directory and of a partition, each parsed as a whole.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_log::testing::fuzz::small_files(data));

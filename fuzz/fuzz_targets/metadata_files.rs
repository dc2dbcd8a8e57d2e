//! `quorum-state` and snapshots of the metadata.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ottla_server::fuzz::metadata_files(data));

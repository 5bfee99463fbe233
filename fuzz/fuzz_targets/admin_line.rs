//! Fuzz target: text commands.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| geartrain_fuzzing::admin_line(data));

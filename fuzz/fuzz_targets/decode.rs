//! Fuzz target: bytes of a connection.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| geartrain_fuzzing::decode(data));

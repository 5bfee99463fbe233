//! Fuzz target: databases that were cut or spoilt.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| geartrain_fuzzing::store_recovery(data));

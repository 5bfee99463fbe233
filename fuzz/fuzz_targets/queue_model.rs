//! Fuzz target: the queue against a plain model.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| geartrain_fuzzing::queue_model(data));

//! Fuzz target: a worker's session and its server.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| geartrain_fuzzing::worker_session(data));

//! Fuzz target: a client's session and its server.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| geartrain_fuzzing::client_session(data));

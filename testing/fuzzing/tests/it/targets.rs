use std::path::Path;

/// Runs a target over its seeds, over each of them spoilt, and over random bytes.
fn run(target: fn(&[u8]), name: &str, inputs: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{name} has seeds");
    let seeds: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let mut rng = fastrand::Rng::with_seed(4730);
    for seed in &seeds {
        target(seed);
    }
    for _ in 0..inputs {
        let mut input = rng.choice(&seeds).unwrap().clone();
        if rng.bool() {
            let len = rng.usize(0..400);
            input = std::iter::repeat_with(|| rng.u8(..)).take(len).collect();
        }
        for _ in 0..rng.usize(0..8) {
            if !input.is_empty() {
                let at = rng.usize(0..input.len());
                input[at] = rng.u8(..);
            }
        }
        input.truncate(rng.usize(0..=input.len()));
        target(&input);
    }
}

#[test]
fn any_bytes_are_decoded_or_refused() {
    run(geartrain_fuzzing::decode, "decode", 20_000);
}

#[test]
fn any_line_is_answered_in_form() {
    run(geartrain_fuzzing::admin_line, "admin_line", 20_000);
}

#[test]
fn core_does_what_a_plain_queue_does() {
    run(geartrain_fuzzing::queue_model, "queue_model", 5_000);
}

#[test]
fn a_client_hears_what_a_plain_reading_says() {
    run(geartrain_fuzzing::client_session, "client_session", 1_000);
}

#[test]
fn a_worker_keeps_to_the_protocol_whatever_it_is_told() {
    run(geartrain_fuzzing::worker_session, "worker_session", 10_000);
}

#[test]
fn a_spoilt_database_opens_or_is_refused() {
    run(geartrain_fuzzing::store_recovery, "store_recovery", 1_000);
}

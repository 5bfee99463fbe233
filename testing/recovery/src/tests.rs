use super::*;

const SECTOR: usize = 512;

fn len(which: Which) -> usize {
    match which {
        Which::Database => healthy().database.len(),
        Which::Log => healthy().log.len(),
    }
}

/// SplitMix64.
fn numbers(mut state: u64) -> impl Iterator<Item = usize> {
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        usize::try_from((word ^ (word >> 31)) >> 8).unwrap()
    })
}

#[test]
fn a_healthy_store_serves_all() {
    assert!(len(Which::Log) > 10 * SECTOR && len(Which::Database) > 10 * SECTOR);
    assert!(matches!(check(&[]), Outcome::Served { loaded: JOBS, beside: BESIDE, set_aside: 0 }));
}

#[test]
fn a_log_that_was_cut_gives_the_batches_before_the_cut() {
    let all = len(Which::Log);
    for at in (0..all).step_by(SECTOR).chain((0..200).filter(|at| *at < all)) {
        let outcome = check(&[(Which::Log, Damage::Cut(at))]);
        assert!(
            matches!(outcome, Outcome::Served { loaded: 20, beside: 3, set_aside: 0 }),
            "cut at {at}: {outcome:?}"
        );
    }
}

#[test]
fn a_database_that_was_cut_is_served_or_refused() {
    let (mut served, mut refused) = (0, 0);
    let all = len(Which::Database);
    for at in (0..all).step_by(SECTOR).chain(numbers(1).map(|at| at % all).take(100)).chain(1..120) {
        // Without its log, which would put most pages back.
        match check(&[(Which::Database, Damage::Cut(at)), (Which::Log, Damage::Cut(0))]) {
            Outcome::Served { .. } => served += 1,
            Outcome::Refused(error) => {
                refused += 1;
                let named = matches!(error, StoreError::Damaged { .. } | StoreError::NotADatabase { .. });
                assert!(named, "cut at {at}: {error}");
            }
        }
    }
    assert!(refused > 200, "{served} served, {refused} refused");
}

#[test]
fn flipped_bytes_are_served_or_refused() {
    let (mut served, mut refused) = (0, 0);
    let no_log = (Which::Log, Damage::Cut(0));
    for (which, also) in [(Which::Database, None), (Which::Database, Some(no_log)), (Which::Log, None)] {
        for (bits, at) in (0_u8..=255).cycle().zip(numbers(7)).take(1500) {
            let damages: Vec<_> = [(which, Damage::Flip(at, bits | 1))].into_iter().chain(also).collect();
            match check(&damages) {
                Outcome::Served { .. } => served += 1,
                Outcome::Refused(_) => refused += 1,
            }
        }
        // The headers, byte by byte.
        for at in 0..200 {
            check(&[(which, Damage::Flip(at, 0xff))]);
        }
    }
    assert!(served > 1000 && refused > 20, "{served} served, {refused} refused");
}

#[test]
fn damage_upon_damage_is_served_or_refused() {
    let mut numbers = numbers(3);
    for _ in 0..500 {
        let damages: Vec<_> = (0..8)
            .map(|_| {
                let (at, kind) = (numbers.next().unwrap(), numbers.next().unwrap());
                let bits = u8::try_from(kind % 255).unwrap() + 1;
                (if kind & 1 == 0 { Which::Database } else { Which::Log }, Damage::Flip(at % 20_000, bits))
            })
            .collect();
        check(&damages);
    }
}

#[test]
fn any_input_of_the_fuzzer_is_damage() {
    check_bytes(&[]);
    check_bytes(b"\0\0\x10\0\xff\0\0\0\0\x20\x01\x1f\xff\xff\xff\xff\xff\x1etail");
}

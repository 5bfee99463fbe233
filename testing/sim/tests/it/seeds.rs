use geartrain_sim::{Counts, Prints, run_seed};

/// Runs seeds; all that fail are told with the command that replays them.
fn check(seeds: std::ops::Range<u64>) -> Counts {
    let mut counts = Counts::default();
    let mut failures = 0;
    for seed in seeds.clone() {
        match run_seed(seed, Prints::Nothing) {
            Ok(outcome) => counts.add(&outcome.counts),
            Err(failure) => {
                println!("{failure}");
                failures += 1;
            }
        }
    }
    assert_eq!(failures, 0, "{failures} of {} seeds fail", seeds.end - seeds.start);
    counts
}

/// That nothing fails says little where nothing happens.
fn assert_eventful(counts: &Counts) {
    let Counts {
        accepted,
        acknowledged,
        coalesced,
        assigned,
        held,
        withdrawn,
        unreadable,
        timed_out,
        extended,
        given_back,
        done,
        spent,
        expired,
        paused,
        limited_starts,
        policies,
        policies_between,
        drops: _,
        lists,
        letters_removed,
        letters_dropped,
        requeued,
        letters_loaded,
        moved,
        imported,
        exported,
        answered,
        scheduled,
        due_runs,
        undone_runs: _,
        rated_releases,
        suspended,
        reads: [reads, reads_failed],
        cancelled,
        refused,
        crashes,
        commits_failed,
        commits,
        loaded,
        acknowledgements_checked,
    } = *counts;
    let least = [accepted, acknowledged, coalesced, assigned, given_back, done, spent, cancelled]
        .into_iter()
        .chain([refused, crashes, commits_failed, commits, loaded, acknowledgements_checked])
        .chain([
            expired,
            paused,
            limited_starts,
            policies,
            policies_between,
            letters_removed,
            letters_dropped,
            requeued,
        ])
        .chain([lists, letters_loaded, moved, imported, exported, answered, scheduled, suspended])
        .chain([reads, reads_failed, held, withdrawn, unreadable, timed_out, due_runs, rated_releases])
        // Progress seldom meets a policy that lets it count.
        .chain([extended * 2])
        .min();
    assert!(least >= Some(15), "something hardly ever happens: {counts:#?}");
}

#[test]
fn nothing_acknowledged_is_lost_in_the_first_thousand_worlds() {
    assert_eventful(&check(0..1000));
}

#[test]
fn nothing_acknowledged_is_lost_in_the_next_thousand_worlds() {
    assert_eventful(&check(1000..2000));
}

/// I1: nothing but the seed decides what `proto`, `core` and the store do.
#[test]
fn a_seed_is_the_same_world_each_time() {
    for seed in 0..30 {
        let first = run_seed(seed, Prints::Nothing).unwrap();
        assert_eq!(first, run_seed(seed, Prints::Nothing).unwrap(), "seed {seed}");
    }
}

//! Loops of processes that end: they are held, or come behind pauses.

use crate::world::{World, config, program, secs, worker};
use geartrain_manager::config::{Backoff, Program, Restart};
use geartrain_manager::planner::End;
use std::time::Duration;

#[test]
fn an_end_as_soon_as_it_was_ready_is_a_failure_with_any_exit_status() {
    let ends = |program: Program| {
        let mut world = World::new(1, config([("a", program)]));
        for _ in 0..5 {
            let Some(process) = world.staying("a").pop() else { break };
            world.ready(process);
            world.exit(process, &End::Code(0));
            let until = world.place("a", 0).until;
            world.pass(until.map_or(Duration::ZERO, |until| until.since(world.now)));
        }
        world.place("a", 0).state
    };
    assert_eq!(ends(worker("v1", 1, 1)), "crash-looping");
    // Who ends after each job says so; and who runs a task once has done it.
    assert_eq!(ends(Program { short_life: Duration::ZERO, ..worker("v1", 1, 1) }), "starting");
    assert_eq!(ends(Program { restart: Restart::OnFailure, ..worker("v1", 1, 1) }), "exited");
}

#[test]
fn no_configuration_makes_a_loop_of_forks() {
    let hasty = Program {
        short_life: Duration::ZERO,
        backoff: Backoff { first: Duration::ZERO, max: Duration::ZERO, ..program("", 1, 1).backoff },
        crash_loop: None,
        ..worker("v1", 1, 1)
    };
    let mut world = World::new(1, config([("a", hasty)]));
    let begin = world.now;
    let mut spawned = 0;
    while world.now.since(begin) < secs(20) {
        if let Some(process) = world.staying("a").pop() {
            spawned += 1;
            world.ready(process);
            world.exit(process, &End::Code(0));
        }
        world.pass(Duration::from_millis(10));
    }
    assert!((20..=45).contains(&spawned), "{spawned} processes in 20 s");
}

#[test]
fn what_is_never_ready_is_held_however_long_each_try_takes() {
    let mut world = World::new(1, config([("a", worker("v1", 1, 1))]));
    let mut tries = 0;
    for _ in 0..600 {
        world.pass(secs(1));
        for process in world.leaving("a") {
            tries += 1;
            world.exit(process, &End::Signal("SIGTERM"));
        }
    }
    assert_eq!((world.place("a", 0).state, tries), ("crash-looping", 5));
    assert!(world.place("a", 0).why.contains("failure 5 in a row"), "{}", world.place("a", 0).why);
}

#[test]
fn a_crash_loop_is_one_also_without_pauses() {
    let backoff = Backoff { first: Duration::ZERO, max: Duration::ZERO, ..program("", 1, 1).backoff };
    let mut world = World::new(1, config([("a", Program { backoff, ..worker("v1", 1, 1) })]));
    for _ in 0..5 {
        let process = world.staying("a")[0];
        world.ready(process);
        world.pass(secs(2));
        world.exit(process, &End::Code(1));
    }
    assert_eq!(world.place("a", 0).state, "crash-looping");
}

#[test]
fn a_limit_below_what_a_process_needs_is_no_loop() {
    for program in [worker("v1", 1, 1), program("v1", 1, 1)] {
        let mut world = World::new(1, config([("a", Program { memory_bytes_max: Some(100), ..program })]));
        let first = world.staying("a")[0];
        let mut seen = std::collections::BTreeSet::from([first]);
        for _ in 0..120 {
            world.ready_all();
            for process in world.staying("a") {
                seen.insert(process);
                world.planner.handle_memory(world.now, process, 101);
                world.act();
            }
            world.ready_all();
            world.leaving("a").into_iter().for_each(|process| world.exit(process, &End::Code(0)));
            world.pass(secs(5));
        }
        // 120 without pauses; with pauses of up to a minute not many more than one in a minute.
        assert!((6..=20).contains(&seen.len()), "{} processes in ten minutes", seen.len());
    }
}

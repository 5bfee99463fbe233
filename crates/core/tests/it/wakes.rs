//! Workers that were woken and ask again instead of grabbing: the job is not theirs until they grab it.

use crate::world::World;
use geartrain_core::{ConnId, Settings};
use geartrain_proto::Request;
use geartrain_proto::SubmitMode::Background;
use std::time::Duration;

/// A worker able to do the functions, asleep.
fn sleeper(world: &mut World, functions: &[&str]) -> ConnId {
    let worker = world.connect();
    for function in functions {
        world.can_do(worker, function);
    }
    assert_eq!(world.request(worker, &Request::PreSleep), [""; 0]);
    worker
}

#[test]
fn a_worker_that_sleeps_again_instead_of_grabbing_does_not_keep_the_job_from_others() {
    let mut world = World::new(Settings::default());
    let client = world.connect();
    let lazy = sleeper(&mut world, &["f"]);
    sleeper(&mut world, &["f"]);
    assert_eq!(world.submit(client, "f", "", Background), ["JOB_CREATED H:localhost:1", "NOOP"]);
    assert_eq!(world.advance(Duration::from_millis(60)), [""; 0]);
    assert_eq!(world.request(lazy, &Request::PreSleep), ["NOOP"]);
    assert_eq!(world.advance(Duration::from_millis(60)), ["NOOP"], "the other is woken in its stead");
    for _ in 0..10 {
        assert_eq!(world.request(lazy, &Request::PreSleep), ["NOOP"]);
        world.advance(Duration::from_millis(60));
    }
}

#[test]
fn a_worker_that_is_woken_for_another_function_leaves_the_first_to_others() {
    let mut world = World::new(Settings::default());
    let client = world.connect();
    let able_of_both = sleeper(&mut world, &["f", "g"]);
    let other = sleeper(&mut world, &["f"]);
    world.submit(client, "f", "", Background);
    world.submit(client, "g", "", Background);
    assert_eq!(world.request(able_of_both, &Request::PreSleep), ["NOOP", "NOOP"], "it and the other");
    assert_eq!(world.grab(able_of_both), ["JOB_ASSIGN H:localhost:2 g"]);
    assert_eq!(world.grab(other), ["JOB_ASSIGN H:localhost:1 f"]);
}

//! Workers with many abilities are found by other ways than those with few: the outcomes are the same.

use crate::world::World;
use geartrain_core::{FunctionOrder, Settings};
use geartrain_proto::SubmitMode::Background;
use geartrain_proto::{Function, Request};
use std::time::Duration;

fn world_with(function_order: FunctionOrder) -> World {
    World::new(Settings { function_order, ..Settings::default() })
}

/// Functions in the order in which a worker with `abilities` of them gets jobs of f1, f5 and f9, two each.
fn order_of_service(function_order: FunctionOrder, abilities: usize) -> Vec<String> {
    let mut world = world_with(function_order);
    let (client, worker) = (world.connect(), world.connect());
    for number in 0..abilities {
        world.can_do(worker, &format!("f{number}"));
    }
    for function in ["f1", "f5", "f9"] {
        world.submit(client, function, "", Background);
        world.submit(client, function, "", Background);
    }
    let mut functions = Vec::new();
    loop {
        let sent = world.grab(worker).concat();
        match sent.strip_prefix("JOB_ASSIGN ") {
            Some(assignment) => functions.push(assignment.split(' ').nth(1).unwrap().to_owned()),
            None => return functions,
        }
    }
}

#[test]
fn the_order_of_service_does_not_depend_on_the_number_of_abilities() {
    for abilities in [10, 16, 17, 18, 100] {
        let drained = order_of_service(FunctionOrder::LastRegistered, abilities);
        assert_eq!(drained, ["f9", "f9", "f5", "f5", "f1", "f1"], "{abilities} abilities");
        for turns in [FunctionOrder::RoundRobin, FunctionOrder::Priority] {
            let served = order_of_service(turns, abilities);
            assert_eq!(served, ["f9", "f5", "f1", "f9", "f5", "f1"], "{turns:?}, {abilities} abilities");
        }
    }
}

#[test]
fn abilities_are_taken_back_one_by_one_around_the_change_of_ways() {
    let mut world = world_with(FunctionOrder::LastRegistered);
    let (client, worker) = (world.connect(), world.connect());
    let names: Vec<String> = (0..40).map(|number| format!("f{number}")).collect();
    for name in &names {
        world.can_do(worker, name);
        world.submit(client, name, "", Background);
    }
    let mut able = names.clone();
    while !able.is_empty() {
        let lost = able.remove(able.len() / 2);
        let cant_do = Request::CantDo { function: Function::from(lost.as_str()) };
        world.request(worker, &cant_do);
        world.request(worker, &cant_do);
        match able.pop() {
            Some(last) => {
                let sent = world.grab(worker).concat();
                assert!(sent.ends_with(&format!(" {last}")), "{sent} instead of {last}");
            }
            None => assert_eq!(world.grab(worker), ["NO_JOB"]),
        }
    }
    assert_eq!((world.core.jobs(), world.core.jobs_running()), (40, 20));
}

#[test]
fn workers_that_come_and_go_leave_no_entries_behind() {
    let mut world = world_with(FunctionOrder::LastRegistered);
    for _ in 0..200 {
        let worker = world.connect();
        for function in ["a", "b"] {
            world.can_do(worker, function);
        }
        world.request(worker, &Request::PreSleep);
        // check_all, run behind every step, bounds the entries of sleepers by the workers there are (I12).
        world.close(worker);
    }
}

#[test]
fn an_idle_queue_asks_for_no_call() {
    let mut world = world_with(FunctionOrder::LastRegistered);
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "a");
    assert_eq!(world.request(worker, &Request::PreSleep), [""; 0]);
    assert_eq!(world.next_timeout(), None);
    assert_eq!(world.submit(client, "a", "", Background), ["JOB_CREATED H:localhost:1", "NOOP"]);
    assert_eq!(world.next_timeout(), Some(Duration::from_millis(100)));
    assert_eq!(world.grab(worker), ["JOB_ASSIGN H:localhost:1 a"]);
    assert_eq!(world.next_timeout(), None);
    assert_eq!(world.complete(worker, "H:localhost:1"), [""; 0]);
    assert_eq!(world.advance(Duration::from_secs(1)), [""; 0]);
    assert_eq!(world.next_timeout(), None);
}

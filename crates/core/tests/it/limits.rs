//! Each limit refuses with a reason, and what was there before goes on.

use crate::world::World;
use geartrain_core::{Limits, Settings};
use geartrain_proto::SubmitMode::{Background, Foreground};
use geartrain_proto::{ClientId, Request};

fn world_with(limits: Limits) -> World {
    World::new(Settings { limits, ..Settings::default() })
}

#[test]
fn one_function_too_many_is_refused() {
    let mut world = world_with(Limits { functions_max: 2, ..Limits::default() });
    let peer = world.connect();
    assert_eq!(world.can_do(peer, "a"), [""; 0]);
    assert_eq!(world.submit(peer, "b", "", Background), ["JOB_CREATED H:localhost:1"]);
    assert_eq!(world.can_do(peer, "c"), ["ERROR too many functions"]);
    assert_eq!(world.submit(peer, "c", "", Background), ["ERROR too many functions"]);
    assert_eq!(world.admin(peer, "create function c"), "ERR too many functions\r\n");
    assert_eq!(world.admin(peer, "drop function b force"), "OK\r\n");
    assert_eq!(world.submit(peer, "c", "", Background), ["JOB_CREATED H:localhost:2"]);
}

#[test]
fn one_ability_too_many_is_refused() {
    let mut world = world_with(Limits { abilities_max: 1, ..Limits::default() });
    let worker = world.connect();
    assert_eq!(world.can_do(worker, "a"), [""; 0]);
    assert_eq!(world.can_do(worker, "b"), ["ERROR too many abilities of one worker"]);
    assert_eq!(world.can_do(worker, "a"), [""; 0], "registering again adds none");
}

#[test]
fn one_waiter_too_many_is_refused() {
    let mut world = world_with(Limits { waiters_max: 1, ..Limits::default() });
    let client = world.connect();
    assert_eq!(world.submit(client, "a", "u", Foreground), ["JOB_CREATED H:localhost:1"]);
    assert_eq!(world.submit(client, "a", "u", Foreground), ["ERROR too many clients wait for this job"]);
    assert_eq!(world.submit(client, "a", "u", Background), ["JOB_CREATED H:localhost:1"]);
}

#[test]
fn one_job_too_many_is_refused() {
    let mut world = world_with(Limits { jobs_max: 1, ..Limits::default() });
    let client = world.connect();
    assert_eq!(world.submit(client, "a", "u", Background), ["JOB_CREATED H:localhost:1"]);
    assert_eq!(world.submit(client, "a", "v", Background), ["ERROR too many jobs wait"]);
    assert_eq!(world.submit(client, "a", "u", Background), ["JOB_CREATED H:localhost:1"]);
}

#[test]
fn a_list_that_grows_too_long_is_refused() {
    let mut world = world_with(Limits { list_bytes_max: 20, ..Limits::default() });
    let peer = world.connect();
    world.submit(peer, "a", "", Background);
    assert_eq!(world.admin(peer, "show jobs"), "H:localhost:1\t0\t0\t1\n.\n");
    world.submit(peer, "a", "", Background);
    let refusal = "ERR LIST_TOO_LARGE The list is over the limit of 20 bytes\r\n";
    assert_eq!(world.admin(peer, "show jobs"), refusal);
}

#[test]
fn names_cannot_break_the_rows_of_a_list() {
    let mut world = World::new(Settings::default());
    let worker = world.connect();
    world.request(worker, &Request::SetClientId { id: ClientId::from("two words\nand a line") });
    world.can_do(worker, "prefix\tname");
    assert_eq!(world.admin(worker, "status"), "prefix\\tname\t0\t0\t1\n.\n");
    assert_eq!(world.admin(worker, "workers"), "7 127.0.0.1 two words\\nand a line : prefix\\tname\n.\n");
}

#[test]
fn nothing_is_handed_out_while_the_server_drains() {
    let mut world = World::new(Settings::default());
    let (client, worker) = (world.connect(), world.connect());
    world.can_do(worker, "a");
    world.request(worker, &Request::PreSleep);
    world.core.stop_assigning();
    assert_eq!(world.submit(client, "a", "", Background), ["JOB_CREATED H:localhost:1"]);
    assert_eq!(world.grab(worker), ["NO_JOB"]);
    assert_eq!(world.request(worker, &Request::PreSleep), [""; 0]);
}
